import { describe, expect, test } from 'vitest';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, jobUid, nodeName, userName } from '#vocabulary/ids.ts';
import { apply } from '../state/apply.ts';
import { printSnapshot, restoreSnapshot } from '../state/snapshot.ts';
import type { State } from '../state/state.ts';
import { ledgerCategories } from './amounts.ts';
import { findLedgerErrors } from './findLedgerErrors.ts';
import { readJobLedger, readLedger, readTotals } from './readLedger.ts';
import { meter } from './testing/meter.ts';

const bob = userName('bob');
const endless = { total: 1_000, saveEvery: 1_000 };

/** Alice’s `low` holds one of two GPUs; Bob’s `urgent` wants both, and waits for it to leave. */
function promised(): FakeCluster {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
  cluster.step([applyJob('low', { priority: 10 })]);
  for (let second = 0; second < 3; second += 1) cluster.tick(endless);
  cluster.step([applyJob('urgent', { priority: 90, workers: 2 }, 'bob')]);
  expect(
    cluster
      .job('urgent')
      .nomination?.placement.flatMap(({ gpus }) => gpus)
      .sort(),
  ).toEqual([0, 1]);
  return cluster;
}

/** What the next ten seconds go to, in GPU-seconds. */
function tenSeconds(cluster: FakeCluster): ReturnType<ReturnType<typeof meter>> {
  const spent = meter(cluster);
  cluster.nowMs += 10_000;
  return spent();
}

const reservedOf = (cluster: FakeCluster, name: string): bigint => readJobLedger(cluster.view, cluster.job(name), cluster.nowMs).reserved;

describe('a GPU that a job was promised', () => {
  test('is reserved while it is free, and what its holder makes of it while it is held', () => {
    expect(tenSeconds(promised())).toEqual({ reserved: 10, suspending: 10 });
  });

  test('turns from held to reserved when its holder leaves, though nothing else happens', () => {
    const cluster = promised();
    const { uid, attempts } = cluster.job('low');
    const ended = { uid, attempt: attempts.length, reasons: ['Preempted' as const], message: '', charged: false };
    apply(cluster.state, { kind: 'AttemptEnded', ...ended, next: { kind: 'pending' }, atMs: cluster.nowMs }, 10);
    expect(tenSeconds(cluster)).toEqual({ reserved: 20 });
    expect(findLedgerErrors(cluster.view)).toEqual([]);
  });

  test('is cordoned or unhealthy rather than reserved', () => {
    const cluster = promised();
    apply(
      cluster.state,
      { kind: 'NodeCordoned', node: nodeName('n1'), by: bob, reason: '', drain: false, atMs: cluster.nowMs },
      policy.recentEventsMax,
    );
    expect(tenSeconds(cluster)).toEqual({ cordoned: 10, suspending: 10 });
    apply(cluster.state, { kind: 'NodeLost', node: nodeName('n1'), message: '', atMs: cluster.nowMs }, policy.recentEventsMax);
    expect(tenSeconds(cluster)).toEqual({ unhealthy: 20 });
    expect(findLedgerErrors(cluster.view)).toEqual([]);
  });

  test('is the waiting job’s time, its user’s and its queue’s', () => {
    const cluster = promised();
    tenSeconds(cluster);
    expect(reservedOf(cluster, 'urgent')).toBe(10_000_000n);
    expect(reservedOf(cluster, 'low')).toBe(0n);
    expect(readTotals(cluster.view, 'user', cluster.nowMs).get('bob')?.reserved).toBe(10_000_000n);
    expect(readTotals(cluster.view, 'queue', cluster.nowMs).get('default')?.reserved).toBe(10_000_000n);
  });

  test('is free again when the job starts, and its time stays in the books', () => {
    const cluster = promised();
    cluster.until('it starts', () => cluster.job('urgent').phase.kind === 'active');
    const kept = reservedOf(cluster, 'urgent');
    expect(kept).toBeGreaterThan(0n);
    expect(tenSeconds(cluster)).toEqual({ starting: 20 });
    expect(reservedOf(cluster, 'urgent')).toBe(kept);
  });

  test.each([
    ['is held back', { kind: 'holdJob' as const, name: jobName('urgent'), user: bob }],
    ['is deleted', { kind: 'deleteJob' as const, name: jobName('urgent'), user: bob, now: true }],
  ])('is idle when the job %s', (_what, input) => {
    const cluster = promised();
    cluster.step([input]);
    // Nobody needs the other one any more, so its holder runs on.
    expect(tenSeconds(cluster)).toEqual({ idle: 10, productive: 10 });
  });

  test('counts once when two were promised it, and goes over to the other', () => {
    const cluster = promised();
    cluster.step([applyJob('after', { workers: 9 }, 'bob')]);
    const { placement } = cluster.job('urgent').nomination ?? { placement: [] };
    const { uid } = cluster.job('after');
    const happen = (event: Parameters<typeof apply>[1]): void => apply(cluster.state, event, policy.recentEventsMax);
    happen({ kind: 'JobNominated', uid, victims: [], placement, model: 'H100', atMs: cluster.nowMs });
    expect(tenSeconds(cluster)).toEqual({ reserved: 10, suspending: 10 });
    // The first by uid is the keeper.
    expect([reservedOf(cluster, 'after'), reservedOf(cluster, 'urgent')]).toEqual([10_000_000n, 0n]);
    happen({ kind: 'JobRemoved', uid, name: jobName('after'), atMs: cluster.nowMs });
    expect(tenSeconds(cluster)).toEqual({ reserved: 10, suspending: 10 });
    expect(reservedOf(cluster, 'urgent')).toBe(10_000_000n);
    expect(findLedgerErrors(cluster.view)).toEqual([]);
  });
});

describe('a snapshot', () => {
  test('keeps what is reserved, to the millisecond', () => {
    const cluster = promised();
    cluster.nowMs += 777;
    const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
    expect(readLedger(restored, cluster.nowMs)).toEqual(readLedger(cluster.view, cluster.nowMs));
    expect(findLedgerErrors(restored)).toEqual([]);
  });

  test('of a version that took it for idle begins to reserve where its books end', () => {
    const cluster = promised();
    tenSeconds(cluster);
    const snapshot = parseSnapshot(printSnapshot(cluster.view));
    // There a job was not settled while it waited.
    const jobs = snapshot.jobs.map((job) => (job.name === 'urgent' ? { ...job, ledger: { ...job.ledger, settledAtMs: 0 } } : job));
    const restored = restoreSnapshot({ ...snapshot, version: 2, jobs });
    expect(findLedgerErrors(restored)).toEqual([]);
    const { amounts, capacity } = readLedger(restored, cluster.nowMs);
    expect(ledgerCategories.reduce((sum, category) => sum + amounts[category], 0n)).toBe(capacity);
  });
});

describe('the proof finds', () => {
  const broken = (breakIt: (state: State) => void): readonly string[] => {
    const cluster = promised();
    breakIt(cluster.state);
    return findLedgerErrors(cluster.view);
  };

  test('a rate that a promise does not give', () => {
    const found = broken((state) => {
      const job = state.jobs.get(jobUid('uid-urgent'));
      if (job !== undefined) job.ledger.reservedMilli += 1_000;
    });
    expect(found).toEqual(['ledger: 2000 are kept for job urgent, nodes and promises give 1000']);
  });

  test('a promise that ended beside the ledger', () => {
    const found = broken((state) => {
      const job = state.jobs.get(jobUid('uid-urgent'));
      if (job !== undefined) job.nomination = null;
    });
    expect(found).toEqual([
      'ledger: rate of idle is 0, the nodes give 1000',
      'ledger: 1000 are kept for job urgent, nodes and promises give 0',
    ]);
  });

  test('reserved time that is no user’s', () => {
    const found = broken((state) => {
      state.ledger.amounts.reserved += 5n;
      state.ledger.capacity += 5n;
    });
    expect(found).toEqual(['user', 'queue', 'project'].map((kind) => `ledger: reserved of all by ${kind} sums to 0, the cluster has 5`));
  });
});
