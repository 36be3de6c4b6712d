import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, nodeName, userName } from '#vocabulary/ids.ts';
import { readJobLedger, readLedger } from './readLedger.ts';
import { meter } from './testing/meter.ts';

const bob = userName('bob');
const slow = { total: 1_000, saveEvery: 1_000 };

const oneNode = (gpus = 2): FakeCluster => new FakeCluster([{ name: 'n1', rack: 'r1', gpus }]);

describe('a second of a GPU', () => {
  test('that nobody holds is idle, or cordoned, or unhealthy', () => {
    const cluster = oneNode();
    const spent = meter(cluster);
    cluster.nowMs += 10_000;
    expect(spent()).toEqual({ idle: 20 });
    cluster.step([{ kind: 'cordonNode', node: nodeName('n1'), user: bob, reason: '', drain: false }]);
    cluster.nowMs += 10_000;
    expect(spent()).toEqual({ cordoned: 20 });
    cluster.agent('n1').setHealth(0, false);
    cluster.step([{ kind: 'report', node: nodeName('n1'), report: cluster.agent('n1').report() }]);
    cluster.nowMs += 10_000;
    expect(spent()).toEqual({ cordoned: 10, unhealthy: 10 });
    cluster.step([{ kind: 'nodeSilent', node: nodeName('n1'), silentMs: 9_000 }]);
    cluster.nowMs += 10_000;
    expect(spent()).toEqual({ unhealthy: 20 });
  });

  test('of a job is starting until all workers run, then productive', () => {
    const cluster = oneNode();
    const spent = meter(cluster);
    cluster.step([applyJob('a', { workers: 2 })]);
    cluster.nowMs += 5_000;
    expect(spent()).toEqual({ starting: 10 });
    cluster.tick(slow);
    spent();
    cluster.nowMs += 5_000;
    expect(spent()).toEqual({ productive: 10 });
  });

  test('of a job that leaves is suspending, of one that is stopped stalled', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    for (let second = 0; second < 3; second += 1) cluster.tick(slow);
    const spent = meter(cluster);
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: bob }]);
    cluster.nowMs += 5_000;
    expect(spent()).toEqual({ suspending: 5 });
    cluster.step([{ kind: 'deleteJob', name: jobName('a'), user: bob, now: true }]);
    cluster.nowMs += 5_000;
    expect(spent()).toEqual({ stalled: 5 });
  });

  test('before the first progress turns out to have been starting', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    const spent = meter(cluster);
    // All workers run from the first second on; the model loads for thirty more.
    cluster.step([{ kind: 'report', node: nodeName('n1'), report: observedAt(cluster, null) }]);
    cluster.nowMs += 30_000;
    expect(spent()).toEqual({ productive: 30 });
    cluster.step([{ kind: 'report', node: nodeName('n1'), report: observedAt(cluster, 1) }]);
    expect(spent()).toEqual({ productive: -30, starting: 30 });
    cluster.nowMs += 10_000;
    cluster.step([{ kind: 'report', node: nodeName('n1'), report: observedAt(cluster, 2) }]);
    expect(spent()).toEqual({ productive: 10 });
  });

  test('since the last checkpoint is recomputed when it is lost, and stays productive when it was saved', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a', { restarts: { max: 9, withinMs: null } })]);
    for (let second = 0; second < 13; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    const before = readLedger(cluster.view, cluster.nowMs).amounts;
    expect(before.recomputed).toBe(0n);
    cluster.agent('n1').crashOne('uid-a/1/0', 1);
    cluster.tick(slow);
    const after = readLedger(cluster.view, cluster.nowMs).amounts;
    // Saved at second 10; seconds 11 to 14 are lost.
    expect(after.recomputed).toBe(4_000_000n);
    expect(after.productive).toBe(before.productive - 3_000_000n);
  });

  test('in which a gang saved is checkpointing, as far as it was taken for productive', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    const say = (step: number, saved: Saved | null = null): void => {
      cluster.step([{ kind: 'report', node: nodeName('n1'), report: observedAt(cluster, step, saved) }]);
    };
    say(1);
    const spent = meter(cluster);
    cluster.nowMs += 30_000;
    say(10, { step: 10, tookMs: 4_321 });
    expect(spent()).toEqual({ productive: 25.679, checkpointing: 4.321 });
    // The same report again is no other checkpoint.
    cluster.nowMs += 10_000;
    say(11, { step: 10, tookMs: 4_321 });
    expect(spent()).toEqual({ productive: 10 });
    // A program that says more than there was since the last one.
    say(20, { step: 20, tookMs: 99_000_000 });
    expect(spent()).toEqual({ productive: -10, checkpointing: 10 });
    // One that says nothing.
    cluster.nowMs += 10_000;
    say(30, { step: 30, tookMs: null });
    expect(spent()).toEqual({ productive: 10 });
  });

  test('in which a job saves because it was asked to leave stays suspending', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    const report = (step: number, saved: Saved | null = null) =>
      cluster.step([{ kind: 'report', node: nodeName('n1'), report: observedAt(cluster, step, saved) }]);
    report(1);
    cluster.nowMs += 10_000;
    const spent = meter(cluster);
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: bob }]);
    cluster.nowMs += 6_000;
    // It had begun four seconds before it was asked.
    report(10, { step: 10, tookMs: 10_000 });
    expect(spent()).toEqual({ productive: -4, checkpointing: 4, suspending: 6 });
    cluster.nowMs += 5_000;
    report(12, { step: 12, tookMs: 5_000 });
    expect(spent()).toEqual({ suspending: 5 });
  });

  test('of work that ended well is productive, saved or not', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    cluster.until('it has ended', () => cluster.job('a').phase.kind === 'finished');
    expect(readLedger(cluster.view, cluster.nowMs).amounts.recomputed).toBe(0n);
  });
});

describe('a job’s own ledger', () => {
  test('has the same seconds as the cluster’s, also between two events', () => {
    const cluster = oneNode(2);
    cluster.step([applyJob('a', { workers: 2 })]);
    cluster.tick(slow);
    cluster.tick(slow);
    cluster.nowMs += 777;
    const job = readJobLedger(cluster.view, cluster.job('a'), cluster.nowMs);
    expect(job).toEqual(readLedger(cluster.view, cluster.nowMs).amounts);
  });

  test('has nothing of another job on the same node', () => {
    const cluster = oneNode(2);
    cluster.step([applyJob('a'), applyJob('b')]);
    cluster.nowMs += 10_000;
    expect(readJobLedger(cluster.view, cluster.job('a'), cluster.nowMs).starting).toBe(10_000_000n);
  });

  test('is not charged for a GPU that is sick, or for a node that is away', () => {
    const cluster = oneNode(1);
    cluster.step([applyJob('a')]);
    cluster.tick(slow);
    cluster.agent('n1').setHealth(0, false);
    cluster.step([{ kind: 'report', node: nodeName('n1'), report: { ...cluster.agent('n1').report() } }]);
    const before = readJobLedger(cluster.view, cluster.job('a'), cluster.nowMs);
    cluster.nowMs += 10_000;
    expect(readJobLedger(cluster.view, cluster.job('a'), cluster.nowMs)).toEqual(before);
  });
});

test('reading changes nothing', () => {
  const cluster = oneNode();
  cluster.step([applyJob('a')]);
  cluster.nowMs += 10_000;
  const first = readLedger(cluster.view, cluster.nowMs);
  expect(readLedger(cluster.view, cluster.nowMs)).toEqual(first);
  expect(cluster.view.ledger.capacity).toBe(0n);
});

type Saved = { readonly step: number; readonly tookMs: number | null };

/** The only worker of `a` runs, has made so many steps, and has saved. */
function observedAt(cluster: FakeCluster, step: number | null, saved: Saved | null = null) {
  const report = cluster.agent('n1').report();
  const progress = step === null ? null : { step, loss: null, tokens: null, stepSeconds: null };
  const rank = {
    rank: 0,
    state: { kind: 'running' as const, pid: 1 },
    progress,
    checkpoint: saved === null ? null : { ...saved, path: '/ckpt', scope: 'rank' as const },
    suspendAware: true,
    suspendAnswer: null,
  };
  return {
    ...report,
    workers: [{ id: { job: cluster.job('a').uid, attempt: 1, worker: 0 }, state: { kind: 'running' as const }, ranks: [rank] }],
  };
}
