import { describe, expect, test } from 'vitest';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, applyQueue, FakeCluster, onNodes, policy, reserve } from '#test/simulation/fakeCluster.ts';
import type { Policy } from '../context.ts';
import { findBrokenPromises } from '../invariants.ts';
import { readTotals, readUnused } from '../ledger/readLedger.ts';
import { meter } from '../ledger/testing/meter.ts';
import { printSnapshot, restoreSnapshot } from '../state/snapshot.ts';
import { jobName, queueName, reservationName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { currentAttempt } from '../state/state.ts';

/** Programs that never end by themselves, and save each second. */
const endless = { total: 1e9, saveEvery: 1 };
const alice = userName('alice');
const user = userName('op');

/** Two nodes of two GPUs in one rack, one in another. The cluster's clock is at 1,000 s. Graces are 10 s, stopping takes 5 s. */
function begin(changes: Partial<Policy> = {}): FakeCluster {
  const shapes = [
    { name: 'n1', rack: 'r1', gpus: 2 },
    { name: 'n2', rack: 'r1', gpus: 2 },
    { name: 'n3', rack: 'r2', gpus: 2 },
  ];
  return new FakeCluster(shapes, { restartCostMs: 20_000, ...changes });
}

const checkpoint = { directory: '/ckpt', intervalMs: null, graceMs: 10_000, keep: null };
/** On two GPUs, so that it fills a node. */
const job = (name: string, changes: Partial<JobSpec> = {}, owner = 'alice') =>
  applyJob(name, { gpusPerWorker: 2, checkpoint, ...changes }, owner);

/** Until the clock shows so many seconds. */
function runTo(cluster: FakeCluster, second: number): void {
  while (cluster.nowMs < second * 1_000) cluster.tick(endless);
}

const nodesOf = (cluster: FakeCluster, name: string): readonly string[] =>
  currentAttempt(cluster.job(name))?.placement.map(({ node }) => node) ?? [];
const eventsOf = (cluster: FakeCluster, name: string): readonly string[] =>
  cluster.view.recent.filter(({ objectName }) => objectName === name).map(({ reason, message }) => `${reason} ${message}`);
const linesOf = (cluster: FakeCluster, name: string): string => cluster.placements().find((line) => line.startsWith(`${name} `)) ?? '';

describe('before maintenance', () => {
  test('who runs there is asked to leave with its grace, no sooner, and the node is empty at the start', () => {
    const cluster = begin();
    cluster.step([job('a'), job('b'), job('c')]);
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2'), start: 1_100, duration: 60, reason: 'new fans' })]);
    runTo(cluster, 1_084);
    expect(nodesOf(cluster, 'a')).toEqual(['n1']);
    runTo(cluster, 1_086);
    expect(eventsOf(cluster, 'a')).toContain(
      'Suspending attempt 1 is asked to leave with a checkpoint (Drained): reservation mend begins 1970-01-01T00:18:20Z',
    );
    runTo(cluster, 1_100);
    expect(cluster.agent('n1').running()).toEqual([]);
    expect(['a', 'b', 'c'].map((name) => nodesOf(cluster, name))).toEqual([[], [], ['n3']]);
    expect(cluster.job('a').attempts[0]?.end).toMatchObject({ reasons: ['Drained'], charged: false });
    expect(linesOf(cluster, 'a')).toBe(
      'a waits: 1 x 2 GPUs wanted; n1, n2 are kept by reservation mend (new fans) until 1970-01-01T00:19:20Z; starts by 1970-01-01T00:19:20Z',
    );
    runTo(cluster, 1_162);
    expect(['a', 'b', 'c'].flatMap((name) => nodesOf(cluster, name)).sort()).toEqual(['n1', 'n2', 'n3']);
    expect(eventsOf(cluster, 'mend')).toEqual([
      'Applied by op: maintenance (new fans) from 1970-01-01T00:18:20Z until 1970-01-01T00:19:20Z',
      'Begun until 1970-01-01T00:19:20Z on n1, n2',
      'Ended it is over',
    ]);
  });

  test('who has said that it ends in time is left alone, and may still start there; who may be late may not', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2', 'n3'), start: 1_100, duration: 60 })]);
    // 85 s, 10 s of grace and 5 s to stop it are 100 s.
    const ends = { preemptible: false, maxRuntimeMs: 85_000 };
    cluster.step([job('intime', ends), job('late', { ...ends, maxRuntimeMs: 85_001 })]);
    expect(nodesOf(cluster, 'intime')).toEqual(['n1']);
    expect(linesOf(cluster, 'late')).toBe(
      'late waits: 1 x 2 GPUs wanted; n1, n2, n3 have room, but it may not be gone when reservation mend begins 1970-01-01T00:18:20Z, until 1970-01-01T00:19:20Z; a maxRuntime that ends before lets it start; starts by 1970-01-01T00:19:20Z',
    );
    runTo(cluster, 1_100);
    expect(cluster.job('intime').phase).toMatchObject({ kind: 'finished', reason: 'MaxRuntime' });
    runTo(cluster, 1_161);
    expect(nodesOf(cluster, 'late')).toHaveLength(1);
  });

  test('a preemptible job may start as long as it can run longer than starting it costs, one that is not never', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2', 'n3'), start: 1_100, duration: 60 })]);
    cluster.step([job('fixed', { preemptible: false })]);
    expect(nodesOf(cluster, 'fixed')).toEqual([]);
    // Asked at 1085, and 20 s before that are worth it.
    runTo(cluster, 1_065);
    cluster.step([job('a'), job('patient', { minRuntimeMs: 21_000 })]);
    expect([nodesOf(cluster, 'a'), nodesOf(cluster, 'patient')]).toEqual([['n2'], []]);
    runTo(cluster, 1_066);
    cluster.step([job('b')]);
    expect(nodesOf(cluster, 'b')).toEqual([]);
  });

  test('with drain runtime only those start who have said when they end', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2', 'n3'), start: 5_000, duration: 60, drain: 'runtime' })]);
    cluster.step([job('open'), job('said', { maxRuntimeMs: 60_000 })]);
    expect([nodesOf(cluster, 'open'), nodesOf(cluster, 'said')]).toEqual([[], ['n1']]);
  });

  test('a promise that is made longer while the job runs is no promise: it is asked', () => {
    const cluster = begin();
    cluster.step([job('a', { maxRuntimeMs: 60_000 })]);
    cluster.step([reserve('mend', { nodes: onNodes('n1'), start: 1_100, duration: 60 })]);
    cluster.step([job('a', { maxRuntimeMs: 600_000 })]);
    runTo(cluster, 1_100);
    expect(cluster.job('a').attempts[0]?.end?.reasons).toEqual(['Drained']);
  });

  test('who leaves for another job, and is then told to stay, is asked again', () => {
    const cluster = begin();
    cluster.step([job('low1', { priority: 10 }), job('low2', { priority: 10 }), job('low3', { priority: 10 })]);
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2', 'n3'), start: 1_100, duration: 60 })]);
    runTo(cluster, 1_084);
    cluster.step([job('high', { priority: 90, maxRuntimeMs: 1_000, checkpoint: { ...checkpoint, graceMs: 0 } })]);
    expect(linesOf(cluster, 'high')).toContain('will be free when');
    cluster.step([{ kind: 'deleteJob', name: jobName('high'), user, now: true }]);
    runTo(cluster, 1_100);
    for (const name of ['n1', 'n2', 'n3']) expect(cluster.agent(name).running()).toEqual([]);
  });

  test('a job that is not told to the scheduler in time leaves late, and nothing new comes', () => {
    const cluster = begin();
    cluster.step([job('a')]);
    runTo(cluster, 1_002);
    cluster.step([reserve('mend', { nodes: onNodes('n1'), duration: 60 }), job('b'), job('c'), job('d')]);
    runTo(cluster, 1_010);
    expect(nodesOf(cluster, 'd')).toEqual([]);
    expect(cluster.agent('n1').running()).toEqual([]);
  });
});

describe('while it is under way', () => {
  test('a maintenance counts as cordoned, and what is reserved and free as reserved, in a row of its own', () => {
    const cluster = begin();
    cluster.step([
      reserve('mend', { nodes: onNodes('n1'), duration: 60 }),
      reserve('mine', { nodes: onNodes('n2'), duration: 60, users: [alice] }),
    ]);
    const spent = meter(cluster);
    cluster.nowMs += 10_000;
    expect(spent()).toEqual({ cordoned: 20, reserved: 20, idle: 20 });
    cluster.step([job('a')]);
    cluster.nowMs += 10_000;
    expect(spent()).toMatchObject({ cordoned: 20, starting: 20, idle: 20 });
  });

  test('only who is named runs there: by user, by queue with those below it, by job and by array', () => {
    const cluster = begin();
    cluster.step([applyQueue('research'), applyQueue('vision', { parent: queueName('research') })]);
    const named = { users: [userName('bob')], queues: [queueName('research')], jobs: [jobName('x'), jobName('sweep')] };
    cluster.step([reserve('mine', { nodes: onNodes('n1', 'n2', 'n3'), duration: 600, ...named })]);
    cluster.step([
      applyJob('other'),
      applyJob('ofbob', {}, 'bob'),
      applyJob('ofqueue', { queue: queueName('vision') }),
      applyJob('x'),
      applyJob('sweep', { array: { count: 2, parallelism: null } }),
    ]);
    const running = [...cluster.view.jobs.values()].filter(({ phase }) => phase.kind === 'active').map(({ name }) => name);
    expect(running.sort()).toEqual(['ofbob', 'ofqueue', 'sweep-0', 'sweep-1', 'x']);
    expect(linesOf(cluster, 'other')).toContain('n1, n2, n3 are kept by reservation mine until');
  });

  test('a job that is named starts though one that is alike but for the name waits before it', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: onNodes('n1', 'n2', 'n3'), duration: 10 })]);
    cluster.step([reserve('mine', { nodes: onNodes('n1', 'n2', 'n3'), start: 1_010, duration: 600, jobs: [jobName('x')] })]);
    cluster.step([job('other', { preemptible: false }), job('x', { preemptible: false })]);
    runTo(cluster, 1_005);
    expect([linesOf(cluster, 'other'), linesOf(cluster, 'x')].map((line) => line.includes('kept by reservation'))).toEqual([true, true]);
    runTo(cluster, 1_010);
    expect([nodesOf(cluster, 'other'), nodesOf(cluster, 'x')]).toEqual([[], ['n1']]);
  });

  test('those who are named take what is reserved before anything else', () => {
    const cluster = begin();
    cluster.step([reserve('mine', { nodes: onNodes('n3'), duration: 600, users: [alice] })]);
    cluster.step([job('a'), job('b')]);
    expect([nodesOf(cluster, 'a'), nodesOf(cluster, 'b')]).toEqual([['n3'], ['n1']]);
  });

  test('a node that comes into its domain is kept, too', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: { kind: 'domains', domains: ['rack/r2'] }, duration: 600 })]);
    cluster.join({ name: 'n4', rack: 'r2', gpus: 2 });
    expect(cluster.view.nodes.get(cluster.agent('n4').name)?.reserved?.name).toBe('mend');
    cluster.step([job('a'), job('b'), job('c')]);
    expect(['a', 'b', 'c'].map((name) => nodesOf(cluster, name))).toEqual([['n1'], ['n2'], []]);
  });

  test('it may be made longer, given other nodes, and be ended by deleting it', () => {
    const cluster = begin();
    const mend = (nodes: readonly string[], duration: number) => reserve('mend', { nodes: onNodes(...nodes), start: 1_010, duration });
    cluster.step([mend(['n1', 'n2'], 60)]);
    runTo(cluster, 1_020);
    cluster.step([mend(['n1'], 90), job('a'), job('b'), job('c')]);
    expect(['a', 'b', 'c'].map((name) => nodesOf(cluster, name))).toEqual([['n2'], ['n3'], []]);
    runTo(cluster, 1_090);
    expect(nodesOf(cluster, 'c')).toEqual([]);
    cluster.step([{ kind: 'deleteReservation', name: reservationName('mend'), user }]);
    expect(nodesOf(cluster, 'c')).toEqual(['n1']);
    expect(eventsOf(cluster, 'mend').at(-1)).toBe('Removed by op');
  });
});

describe('lending', () => {
  const lent = () =>
    reserve('mine', { nodes: onNodes('n1', 'n2', 'n3'), start: 1_010, duration: 600, users: [userName('bob')], lend: true });

  test('gives preemptible jobs what is free, before it begins and after, and takes it back whatever their rank is', () => {
    const cluster = begin();
    cluster.step([lent(), job('guest', { priority: 90 }), job('fixed', { preemptible: false })]);
    expect([nodesOf(cluster, 'guest'), nodesOf(cluster, 'fixed')]).toEqual([['n1'], []]);
    runTo(cluster, 1_015);
    expect(nodesOf(cluster, 'guest')).toEqual(['n1']);
    cluster.step([job('late', { priority: 90 })]);
    expect(nodesOf(cluster, 'late')).toEqual(['n2']);
    cluster.step([job('gang', { workers: 3, priority: 10 }, 'bob')]);
    expect(linesOf(cluster, 'gang')).toContain('will be free when guest, late have left');
    runTo(cluster, 1_040);
    expect(nodesOf(cluster, 'gang')).toEqual(['n1', 'n2', 'n3']);
    expect(cluster.job('guest').attempts[0]?.end).toMatchObject({ reasons: ['Preempted'], charged: false });
    expect(linesOf(cluster, 'guest')).not.toContain('will be free');
  });

  test('takes nobody’s place for a guest, and promises it nothing', () => {
    const cluster = begin();
    cluster.step([lent()]);
    runTo(cluster, 1_012);
    cluster.step(['a', 'b', 'c'].map((name) => job(name, { priority: 1 }, 'bob')));
    runTo(cluster, 1_020);
    cluster.step([job('guest', { priority: 90 })]);
    runTo(cluster, 1_100);
    expect(['a', 'b', 'c'].flatMap((name) => nodesOf(cluster, name))).toHaveLength(3);
    expect(nodesOf(cluster, 'guest')).toEqual([]);
  });

  test('is not for jobs that want to run for some time in any case', () => {
    const cluster = begin();
    cluster.step([lent()]);
    runTo(cluster, 1_012);
    cluster.step([job('a', { minRuntimeMs: 1 })]);
    expect(nodesOf(cluster, 'a')).toEqual([]);
  });
});

describe('what comes again', () => {
  const nightly = () =>
    reserve('nightly', {
      nodes: onNodes('n1'),
      start: 1_100,
      duration: 60,
      repeat: { kind: 'days', days: 1, timeZone: 'UTC', untilMs: null },
    });

  test('is planned anew when it ends, and kept to each time', () => {
    const cluster = begin();
    cluster.step([nightly()]);
    runTo(cluster, 1_161);
    expect(eventsOf(cluster, 'nightly').at(-1)).toBe('Ended next from 1970-01-02T00:18:20Z until 1970-01-02T00:19:20Z');
    cluster.step([job('a')]);
    expect(nodesOf(cluster, 'a')).toEqual(['n1']);
    // A day later it is in the way again.
    cluster.sleep(86_400_000 - 161_000);
    expect(nodesOf(cluster, 'a')).toEqual(['n1']);
    runTo(cluster, 86_400 + 1_100);
    expect(nodesOf(cluster, 'a')).not.toContain('n1');
    expect(cluster.view.reservations.get(reservationName('nightly'))?.isOpen).toBe(true);
  });

  test('is not caught up with when the controller was away', () => {
    const cluster = begin();
    cluster.step([nightly()]);
    cluster.sleep(3 * 86_400_000 - 500_000);
    expect(eventsOf(cluster, 'nightly').slice(1)).toEqual(['Ended next from 1970-01-04T00:18:20Z until 1970-01-04T00:19:20Z']);
  });
});

describe('nodes that the scheduler chooses', () => {
  const two = { kind: 'count', of: 'nodes', amount: 2, model: null, level: null } as const;
  const chosen = (cluster: FakeCluster, name: string) => cluster.view.reservations.get(reservationName(name))?.chosen;

  test('are those on which the least is stopped, and who ends in time counts for nothing', () => {
    const cluster = begin();
    cluster.step([job('long', { preemptible: false }), job('short', { maxRuntimeMs: 30_000 })]);
    expect([nodesOf(cluster, 'long'), nodesOf(cluster, 'short')]).toEqual([['n1'], ['n2']]);
    cluster.step([reserve('mine', { nodes: two, start: 1_100, duration: 60, users: [userName('bob')] })]);
    expect(chosen(cluster, 'mine')).toEqual(['n2', 'n3']);
  });

  test('are inside one domain where a level is asked for, and enough for so many GPUs', () => {
    const cluster = begin();
    cluster.step([job('long')]);
    const gpus = { kind: 'count', of: 'gpus', amount: 3, model: 'H100', level: 'rack' } as const;
    cluster.step([reserve('mine', { nodes: gpus, start: 1_100, duration: 60, users: [userName('bob')] })]);
    expect(chosen(cluster, 'mine')).toEqual(['n1', 'n2']);
  });

  test('are kept, and replaced only when they take no work any more before it begins', () => {
    const cluster = begin();
    cluster.step([reserve('mine', { nodes: { ...two, amount: 1 }, start: 1_100, duration: 60, users: [userName('bob')] })]);
    expect(chosen(cluster, 'mine')).toEqual(['n1']);
    cluster.step([{ kind: 'cordonNode', node: cluster.agent('n1').name, user, reason: '', drain: false }]);
    expect(chosen(cluster, 'mine')).toEqual(['n2']);
    cluster.step([{ kind: 'uncordonNode', node: cluster.agent('n1').name, user }]);
    expect(chosen(cluster, 'mine')).toEqual(['n2']);
    expect(eventsOf(cluster, 'mine').at(-1)).toBe('NodesChanged n1 take no work; n2 instead');
  });

  test('are not those that another reservation has at the same time', () => {
    const cluster = begin();
    cluster.step([reserve('mend', { nodes: onNodes('n1'), start: 1_150, duration: 60 })]);
    cluster.step([reserve('mine', { nodes: two, start: 1_100, duration: 60, users: [userName('bob')] })]);
    expect(chosen(cluster, 'mine')).toEqual(['n2', 'n3']);
  });
});

test('log and snapshot keep reservations, and what nobody used of them', () => {
  const cluster = begin();
  cluster.step([
    reserve('mend', { nodes: onNodes('n1'), duration: 60 }),
    reserve('mine', { nodes: onNodes('n2'), duration: 60, users: [alice] }),
    reserve('later', { nodes: { kind: 'count', of: 'nodes', amount: 1, model: null, level: null }, start: 2_000, duration: 60 }),
  ]);
  runTo(cluster, 1_010);
  expect(cluster.replay()).toBe(printSnapshot(cluster.view));
  const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
  expect(printSnapshot(restored)).toBe(printSnapshot(cluster.view));
  expect(findBrokenPromises(restored, policy)).toEqual([]);
  const mine = restored.reservations.get(reservationName('mine'));
  expect(mine === undefined ? null : readUnused(restored, mine, cluster.nowMs)).toBe(20_000_000n);
  expect(readTotals(restored, 'user', cluster.nowMs).get('(reservation mine)')?.reserved).toBe(20_000_000n);
});
