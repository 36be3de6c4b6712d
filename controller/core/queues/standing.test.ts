import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { currentAttempt } from '#core/state/state.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import type { Policy } from '../context.ts';
import { attainedNow } from './attained.ts';
import { overdueLevel, Standings } from './standing.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function standings(cluster: FakeCluster, changes: Partial<Policy> = {}): Standings {
  const jobs = [...cluster.view.jobs.values()];
  const waiting = { firsts: () => jobs.filter((job) => job.phase.kind === 'pending') };
  return new Standings({ state: cluster.view, context: { nowMs: cluster.nowMs, policy: { ...policy, ...changes } } }, waiting);
}

function running(cluster: FakeCluster, name: string, changes: Partial<Policy> = {}) {
  const job = cluster.job(name);
  const attempt = currentAttempt(job);
  if (attempt === undefined) throw new Error(`${name} does not run`);
  return standings(cluster, changes).running(job, attempt);
}

const gpuHours = (cluster: FakeCluster, name: string): number => attainedNow(cluster.job(name), cluster.nowMs) / 1000 / hourMs;

describe('attained service', () => {
  test('is GPUs x time held, over all attempts, from the placement on', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
    cluster.step([applyJob('a', { gpusPerWorker: 2 })]);
    cluster.sleep(hourMs);
    expect(gpuHours(cluster, 'a')).toBe(2);
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: userName('alice') }]);
    cluster.until('it has left', () => cluster.job('a').phase.kind === 'suspended');
    const had = gpuHours(cluster, 'a');
    expect(had).toBeCloseTo(2, 1);
    cluster.sleep(hourMs);
    expect(gpuHours(cluster, 'a')).toBe(had);
    cluster.step([{ kind: 'resumeJob', name: jobName('a'), user: userName('alice') }]);
    cluster.sleep(hourMs / 2);
    expect(gpuHours(cluster, 'a')).toBe(had + 1);
  });

  test('of a share of a GPU is that share', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('a', { gpuShareMilli: 250 })]);
    cluster.sleep(hourMs);
    expect(gpuHours(cluster, 'a')).toBe(0.25);
  });

  test('goes through a snapshot, and is made again from the attempts of one that has it not', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
    cluster.step([applyJob('a', { gpusPerWorker: 2 })]);
    cluster.until('it is over', () => cluster.job('a').phase.kind === 'finished');
    const { attained, uid } = cluster.job('a');
    expect(attained).toBeGreaterThan(20_000_000);
    const body = printSnapshot(cluster.view);
    const old = body.replaceAll(/"(attained|waitedMs)":\d+,/g, '');
    expect(old).not.toContain('attained');
    for (const one of [body, old]) expect(restoreSnapshot(parseSnapshot(one)).jobs.get(uid)?.attained).toBe(attained);
  });
});

describe('a level', () => {
  test('grows at one GPU-hour and on by factors of four, and ends when the standing says so', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 4 }]);
    cluster.step([applyJob('a', { gpusPerWorker: 4 })]);
    const seen: number[] = [];
    for (const quarters of [0, 1, 3, 4, 11, 16, 64]) {
      cluster.nowMs = 1_000_000 + quarters * (hourMs / 4);
      seen.push(running(cluster, 'a').level);
    }
    expect(seen).toEqual([0, 1, 1, 2, 2, 3, 4]);
  });

  test('ends at the very millisecond that is foretold, and at none before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(40 * hourMs), (gpus, sleptMs) => {
        const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus }]);
        cluster.step([applyJob('a', { gpusPerWorker: gpus })]);
        cluster.nowMs += sleptMs;
        const job = cluster.job('a');
        const attempt = currentAttempt(job);
        if (attempt === undefined) throw new Error('it runs');
        const { level } = running(cluster, 'a');
        const endsAtMs = standings(cluster).passesAtMs(job, attempt, level);
        cluster.nowMs = endsAtMs - 1;
        expect(running(cluster, 'a').level).toBe(level);
        cluster.nowMs = endsAtMs;
        expect(running(cluster, 'a').level).toBe(level + 1);
      }),
      { numRuns: cases(100) },
    );
  });
});

describe('a running job yields', () => {
  const begin = (changes: Parameters<typeof applyJob>[1] = {}): FakeCluster => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('a', changes)]);
    return cluster;
  };

  test('to those who began to wait a restart before it saved last, and to nobody while it has never saved', () => {
    const cluster = begin();
    const placedAtMs = cluster.nowMs;
    cluster.sleep(60_000);
    expect(running(cluster, 'a').yieldsToMs).toBe(-Infinity);
    for (let second = 0; second < 8; second += 1) cluster.tick();
    const saved = cluster.job('a').checkpoint?.atMs ?? 0;
    expect(saved).toBeGreaterThan(placedAtMs + 60_000);
    expect(running(cluster, 'a').yieldsToMs).toBe(saved - 60_000);
  });

  test('to those who began to wait a restart before its attempt did, when it has saved in an earlier one', () => {
    const cluster = begin();
    cluster.until('it has saved', () => cluster.job('a').checkpoint !== null);
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: userName('alice') }]);
    cluster.until('it has left', () => cluster.job('a').phase.kind === 'suspended');
    cluster.step([{ kind: 'resumeJob', name: jobName('a'), user: userName('alice') }]);
    const placedAtMs = cluster.nowMs;
    cluster.nowMs += 60_000;
    expect(running(cluster, 'a').yieldsToMs).toBe(placedAtMs - 60_000);
  });

  test('to nobody while it has run shorter than a restart takes', () => {
    const cluster = begin();
    cluster.until('it has saved', () => cluster.job('a').checkpoint !== null);
    cluster.nowMs = cluster.job('a').attempts[0]?.placedAtMs ?? 0;
    cluster.nowMs += 59_999;
    expect(running(cluster, 'a').yieldsToMs).toBe(-Infinity);
    cluster.nowMs += 1;
    expect(running(cluster, 'a').yieldsToMs).toBeGreaterThan(0);
  });

  test('to nobody when it said how long it runs at most, and that is a day at most; nor without time slicing', () => {
    for (const [maxRuntimeMs, yields] of [
      [dayMs, false],
      [dayMs + 1, true],
    ] as const) {
      const cluster = begin({ maxRuntimeMs });
      cluster.until('it has saved', () => cluster.job('a').checkpoint !== null);
      cluster.nowMs += hourMs;
      expect(running(cluster, 'a').yieldsToMs > 0).toBe(yields);
      expect(running(cluster, 'a', { timeSlicing: false }).yieldsToMs).toBe(-Infinity);
    }
  });
});

describe('who has waited for a week', () => {
  /** `holder` runs for ever; the others wait, the first one the longest. */
  function waiting(names: readonly string[], user = (_name: string): string => 'alice'): FakeCluster {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('holder', { preemptible: false }, 'bob')]);
    for (const name of names) {
      cluster.sleep(1_000);
      cluster.step([applyJob(name, {}, user(name))]);
    }
    return cluster;
  }

  test('is overdue at that moment, though nothing else happens then', () => {
    const cluster = waiting(['a']);
    const sinceMs = cluster.nowMs;
    expect(cluster.state.wakeAtMs).toBe(sinceMs + 7 * dayMs);
    cluster.nowMs += 7 * dayMs - 1;
    expect(standings(cluster).waiting(cluster.job('a')).level).toBe(0);
    cluster.nowMs += 1;
    expect(standings(cluster).waiting(cluster.job('a')).level).toBe(overdueLevel);
  });

  test('is one job of each user at a time, the one that has waited longest', () => {
    const cluster = waiting(['a1', 'a2', 'c1'], (name) => (name.startsWith('a') ? 'alice' : 'carol'));
    cluster.nowMs += 8 * dayMs;
    const overdue = (): readonly string[] =>
      ['a1', 'a2', 'c1'].filter((name) => standings(cluster).overdueSinceMs(cluster.job(name).uid) !== null);
    expect(overdue()).toEqual(['a1', 'c1']);
    cluster.step([{ kind: 'holdJob', name: jobName('a1'), user: userName('alice') }]);
    expect(overdue()).toEqual(['a2', 'c1']);
  });

  test('has its hour when it runs, and the next job of its user is overdue after that', () => {
    const cluster = waiting(['a1', 'a2']);
    cluster.nowMs += 8 * dayMs;
    cluster.step([{ kind: 'deleteJob', name: jobName('holder'), user: userName('bob'), now: true }]);
    cluster.until('a1 runs', () => cluster.job('a1').phase.kind === 'active');
    const placedAtMs = cluster.job('a1').attempts[0]?.placedAtMs ?? 0;
    expect(running(cluster, 'a1').isSafe).toBe(true);
    expect(standings(cluster).overdueSinceMs(cluster.job('a2').uid)).toBeNull();
    expect(cluster.state.wakeAtMs).toBe(Math.ceil((placedAtMs + hourMs) / 1000) * 1000);
    cluster.nowMs = placedAtMs + hourMs;
    expect(running(cluster, 'a1').isSafe).toBe(false);
    expect(standings(cluster).overdueSinceMs(cluster.job('a2').uid)).not.toBeNull();
  });

  test('did not wait while it could not have run by its own wish', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('later', { startAfterMs: cluster.nowMs + 7 * dayMs, workers: 2 })]);
    cluster.nowMs += 8 * dayMs;
    expect(standings(cluster).overdueSinceMs(cluster.job('later').uid)).toBeNull();
    cluster.nowMs += 6 * dayMs;
    expect(standings(cluster).overdueSinceMs(cluster.job('later').uid)).not.toBeNull();
  });
});
