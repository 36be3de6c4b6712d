import { describe, expect, test } from 'vitest';
import type { Reply } from '#core/inputs.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';

const bob = userName('bob');
const hold = (name: string) => ({ kind: 'holdJob' as const, name: jobName(name), user: bob });
const release = (name: string) => ({ kind: 'releaseJob' as const, name: jobName(name), user: bob });
const next = (name: string) => ({ kind: 'nextJob' as const, name: jobName(name), user: bob });
const suspend = (name: string) => ({ kind: 'suspendJob' as const, name: jobName(name), user: bob });
const priority = (name: string, value: number) => ({ kind: 'prioritizeJob' as const, name: jobName(name), user: bob, priority: value });

/** One GPU, held by `first`; what comes after waits. */
function busy(): FakeCluster {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 });
  cluster.step([applyJob('first')]);
  return cluster;
}

const print = (reply: Reply): string =>
  reply.kind === 'refused' ? `${reply.code} ${reply.message}` : reply.kind === 'changed' ? `changed ${reply.changed}` : reply.kind;
const ask = (cluster: FakeCluster, ...inputs: Parameters<FakeCluster['step']>[0]): readonly string[] => cluster.step(inputs).map(print);
const running = (cluster: FakeCluster): readonly string[] => cluster.placements().filter((line) => !line.includes(' waits'));

describe('a held job', () => {
  test('does not start though there is room, and says who held it; twice is once', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 2 });
    expect(ask(cluster, applyJob('a'), hold('a'), hold('a'))).toEqual(['applied', 'changed true', 'changed false']);
    expect(cluster.placements()).toEqual(['a waits: held by bob since 1970-01-01T00:16:40Z; `shoal release` lets it start']);
    expect(ask(cluster, release('a'), release('a'))).toEqual(['changed true', 'changed false']);
    expect(cluster.placements()).toEqual(['a n11:0']);
  });

  test('keeps its place: released, it goes before those that came after it', () => {
    const cluster = busy();
    cluster.step([applyJob('a'), hold('a')]);
    cluster.nowMs += 1_000;
    cluster.step([applyJob('b'), release('a')]);
    expect(cluster.view.pending).toEqual(['uid-a', 'uid-b']);
  });

  test('that runs, runs on; it waits when it comes back', () => {
    const cluster = busy();
    cluster.tick();
    cluster.step([hold('first')]);
    cluster.agent('n11').crashOne('uid-first/1/0', 1);
    cluster.step([applyJob('first', { restarts: { max: 3, withinMs: null } })]);
    expect(cluster.job('first').phase.kind).toBe('active');
    cluster.until('it waits', () => cluster.job('first').phase.kind === 'pending');
    expect(cluster.placements()[0]).toMatch(/^first waits: held by bob/);
  });
});

describe('a job that others were asked to leave for', () => {
  const nominated = (): FakeCluster => {
    const cluster = busy();
    cluster.tick();
    cluster.step([applyJob('high', { priority: 90, deadlineMs: cluster.nowMs + 1_000 })]);
    expect(cluster.placements()).toEqual(['first n11:0', 'high waits: 1 x 1 GPUs will be free when first has left']);
    return cluster;
  };

  test('gives that back when it is held: they run on', () => {
    const cluster = nominated();
    cluster.step([hold('high')]);
    expect(cluster.job('high').nomination).toBeNull();
    expect(cluster.job('first').attempts[0]?.stage.kind).toBe('running');
  });

  test('gives that back when its deadline passes', () => {
    const cluster = nominated();
    cluster.nowMs += 1_000;
    cluster.step([{ kind: 'tick' }]);
    expect(cluster.job('high').phase).toMatchObject({ kind: 'finished', reason: 'DeadlineExceeded' });
    expect(cluster.job('first').attempts[0]?.stage.kind).toBe('running');
  });

  test('gives that back when it is told to wait for another', () => {
    const cluster = nominated();
    cluster.step([applyJob('high', { priority: 90, after: [{ job: jobName('first'), condition: 'Finished' }] })]);
    expect(cluster.job('first').attempts[0]?.stage.kind).toBe('running');
    expect(cluster.placements()[1]).toBe('high waits: waits for job first to finish, which is running');
  });
});

describe('the next job', () => {
  test('goes before higher priorities, once; the last one asked for goes first', () => {
    const cluster = busy();
    cluster.step([applyJob('first', { preemptible: false })]);
    cluster.step([applyJob('high', { priority: 90 }), applyJob('a'), applyJob('b')]);
    cluster.step([next('a')]);
    cluster.nowMs += 1_000;
    cluster.step([next('b')]);
    expect(cluster.view.pending).toEqual(['uid-b', 'uid-a', 'uid-high']);
    expect(ask(cluster, next('b'))).toEqual(['changed false']);
    cluster.step([{ kind: 'deleteJob', name: jobName('first'), user: bob, now: true }]);
    cluster.until('b runs', () => cluster.job('b').phase.kind === 'active');
    expect(running(cluster)).toEqual(['b n11:0']);
    expect(cluster.job('b').next).toBeNull();
  });

  test('is one that waits', () => {
    const cluster = busy();
    cluster.step([applyJob('a'), suspend('a')]);
    expect(ask(cluster, next('first'), next('a'), next('nobody'))).toEqual([
      'FAILED_PRECONDITION job first has been placed already; only one that waits can be put first',
      'FAILED_PRECONDITION job a is suspended; only one that waits can be put first',
      'NOT_FOUND jobs "nobody" not found',
    ]);
  });
});

test('another priority moves a waiting job, and stays with one that runs', () => {
  const cluster = busy();
  cluster.step([applyJob('a'), applyJob('b')]);
  expect(ask(cluster, priority('b', 21), priority('b', 21), priority('first', 3))).toEqual([
    'changed true',
    'changed false',
    'changed true',
  ]);
  expect(cluster.view.pending).toEqual(['uid-b', 'uid-a']);
  expect(cluster.job('first').spec.priority).toBe(3);
});

test('what is over takes no orders', () => {
  const cluster = busy();
  cluster.until('it is over', () => cluster.job('first').phase.kind === 'finished');
  expect(ask(cluster, hold('first'), priority('first', 1))).toEqual([
    'FAILED_PRECONDITION job first has finished (Succeeded) and cannot be held',
    'FAILED_PRECONDITION job first has finished (Succeeded) and cannot be given another priority',
  ]);
});

test('log and snapshot keep them, in the same order', () => {
  const cluster = busy();
  cluster.step([applyJob('a'), applyJob('b', { after: [{ job: jobName('a'), condition: 'Started' }] }), hold('a'), next('b')]);
  cluster.step([applyJob('s', { array: { count: 3, parallelism: 1 } })]);
  expect(cluster.replay()).toBe(printSnapshot(cluster.view));
  const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
  expect(printSnapshot(restored)).toBe(printSnapshot(cluster.view));
  expect({ pending: restored.pending, awaited: restored.awaited, arrays: restored.arrays }).toEqual({
    pending: cluster.view.pending,
    awaited: cluster.view.awaited,
    arrays: cluster.view.arrays,
  });
});
