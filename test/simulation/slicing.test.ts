import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { StampedEvent } from '#core/events.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { applyJob, disturb, FakeCluster } from './fakeCluster.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';

const seeds = Array.from({ length: cases(12) }, (_, index) => index + 1);
const restartCostMs = 3_000;
/** Days shrunk to seconds. */
const policy = {
  restartCostMs,
  attainedLevels: { firstMs: 5_000, factor: 2, count: 6 },
  declaredRuntimeMaxMs: 50_000,
  overdueAfterMs: 60_000,
  overdueRunMs: 8_000,
};
const program = { total: 40, saveEvery: 3 };

/** Jobs of one priority and queue, of three users, on too few GPUs. */
function begin(seed: number): { readonly cluster: FakeCluster; readonly random: Random } {
  return { cluster: new FakeCluster({ racks: 2, nodesPerRack: 1, gpus: 4 }, policy), random: createRandom(seed) };
}

function live(cluster: FakeCluster, random: Random, second: number, withTrouble: boolean): void {
  if (random.chance(0.25)) {
    const name = `j${second}`;
    cluster.steps.set(`uid-${name}`, random.pick([3, 10, 40, 120]) ?? 10);
    const spec = {
      workers: 1 + random.below(3),
      gpusPerWorker: 1 + random.below(2),
      preemptible: random.chance(0.9),
      maxRuntimeMs: random.chance(0.1) ? 50_000 : null,
      minRuntimeMs: random.chance(0.2) ? 9_000 : 0,
      restarts: { max: 50, withinMs: null },
    };
    cluster.step([applyJob(name, spec, random.pick(['alice', 'bob', 'carol']))]);
  }
  if (withTrouble && random.chance(0.05)) disturb(cluster, random);
  cluster.tick(program);
}

/** What the log alone says of a job: the rules are written down a second time, in another way. */
class Told {
  heldMs = 0;
  waitsSinceMs = 0;
  placedAtMs: number | null = null;
  savedAtMs = 0;
  gpus = 0;
  isLeaving = false;
  hasSaved = false;

  note(event: StampedEvent): void {
    if (event.kind === 'JobCreated') [this.waitsSinceMs, this.gpus] = [event.atMs, event.spec.workers * event.spec.gpusPerWorker];
    if (event.kind === 'AttemptPlaced') [this.placedAtMs, this.savedAtMs] = [event.atMs, event.atMs];
    if (event.kind === 'CheckpointCompleted') [this.savedAtMs, this.hasSaved] = [event.atMs, true];
    if (event.kind === 'SuspendStaged' || event.kind === 'AttemptStopping') this.isLeaving = true;
    if (event.kind === 'SuspendCancelled' || event.kind === 'AttemptEnded') this.isLeaving = false;
    if (event.kind === 'AttemptEnded') {
      this.heldMs = this.held(event.atMs);
      [this.placedAtMs, this.waitsSinceMs] = [null, event.atMs];
    }
  }

  held(nowMs: number): number {
    return this.heldMs + (this.placedAtMs === null ? 0 : (nowMs - this.placedAtMs) * this.gpus);
  }

  level(nowMs: number): number {
    const { firstMs, factor, count } = policy.attainedLevels;
    let level = 0;
    while (level < count && this.held(nowMs) >= firstMs * factor ** level) level += 1;
    return level;
  }
}

function judge(cluster: FakeCluster, told: Map<JobUid, Told>, event: StampedEvent): number {
  // Who moves loses no place.
  if (event.kind !== 'JobNominated' || event.moves !== undefined) return 0;
  const [nominee, of] = [cluster.view.jobs.get(event.uid), told.get(event.uid)];
  if (nominee === undefined || of === undefined) throw new Error('a nominee that nobody applied');
  for (const uid of event.victims) {
    const [victim, his] = [cluster.view.jobs.get(uid), told.get(uid)];
    if (victim === undefined || his === undefined || his.placedAtMs === null) throw new Error('a victim that does not run');
    // Asked for another one before, or at its end: it need not be asked again.
    if (his.isLeaving) continue;
    expect(victim.user).not.toBe(nominee.user);
    expect(victim.spec.preemptible && victim.spec.maxRuntimeMs === null).toBe(true);
    expect(event.atMs).toBeGreaterThanOrEqual(his.placedAtMs + Math.max(restartCostMs, victim.spec.minRuntimeMs));
    expect(his.hasSaved).toBe(true);
    expect(his.savedAtMs - restartCostMs).toBeGreaterThanOrEqual(of.waitsSinceMs);
    const isOverdue = event.atMs - of.waitsSinceMs >= policy.overdueAfterMs;
    if (!isOverdue) expect(of.level(event.atMs)).toBeLessThan(his.level(event.atMs));
  }
  return event.victims.length;
}

describe('where nobody says how long it takes', () => {
  test.each(seeds)('seed %i: nobody is stopped but for who had less or is overdue and was patient, and all come to their end', (seed) => {
    const { cluster, random } = begin(seed);
    const told = new Map<JobUid, Told>();
    let seen = 0;
    let stopped = 0;
    const read = (): void => {
      for (const event of cluster.log.slice(seen)) {
        if ('uid' in event) told.set(event.uid, told.get(event.uid) ?? new Told());
        stopped += judge(cluster, told, event);
        if ('uid' in event) told.get(event.uid)?.note(event);
      }
      seen = cluster.log.length;
    };
    for (let second = 0; second < 200; second += 1) {
      live(cluster, random, second, false);
      read();
    }
    cluster.until(
      'every job has finished',
      () => {
        read();
        return [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished');
      },
      3_000,
    );
    expect(stopped).toBeGreaterThan(0);
    for (const agent of cluster.agents) expect(new Set(agent.started).size).toBe(agent.started.length);
  });

  test.each(seeds.slice(0, 8))('seed %i: a second pass decides nothing, whatever goes wrong', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 150; second += 1) {
      live(cluster, random, second, true);
      cluster.state.scheduleDirty = true;
      cluster.step([]);
      const events = cluster.log.length;
      cluster.state.scheduleDirty = true;
      cluster.step([]);
      expect(cluster.log.slice(events), `second ${second}`).toEqual([]);
    }
  });
});

describe('one job that had much, or has the lowest priority, among ever new ones', () => {
  function finishes(changes: Partial<Parameters<typeof applyJob>[1]>, overdueAfterMs: number): boolean {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 }, { ...policy, overdueAfterMs });
    cluster.steps.set('uid-long', 60);
    cluster.step([applyJob('long', changes)]);
    for (let second = 0; second < 20; second += 1) cluster.tick(program);
    for (let second = 0; second < 450; second += 1) {
      if (second % 5 === 0) {
        cluster.steps.set(`uid-s${second}`, 5);
        cluster.step([applyJob(`s${second}`, { priority: 50 }, `u${second}`)]);
      }
      cluster.tick(program);
    }
    return cluster.job('long').phase.kind === 'finished';
  }

  test.each([
    ['had much', { priority: 50 }],
    ['is of the lowest priority', { priority: 1 }],
  ])('comes to its end though it %s, and would not without being overdue', (_what, changes) => {
    expect(finishes(changes, 60_000)).toBe(true);
    expect(finishes(changes, 1_000_000_000)).toBe(false);
  });
});
