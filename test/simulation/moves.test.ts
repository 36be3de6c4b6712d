import { cases } from '#test/cases.ts';
import { describe, expect, test } from 'vitest';
import { parseLine, parseSnapshot, printLine } from '#controller/loop/logLine.ts';
import type { StampedEvent } from '#core/events.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import type { JobView } from '#core/state/view.ts';
import { userName } from '#vocabulary/ids.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import { applyJob, disturb, FakeCluster, policy } from './fakeCluster.ts';
import { makePeace } from './makePeace.ts';

/** The promises are checked after every step, by the cluster itself. */
const seeds = Array.from({ length: cases(20) }, (_, index) => index + 1);

/** Jobs of one rank over two racks of small nodes, so that room is scattered and nobody may displace anybody. */
function begin(seed: number): { readonly cluster: FakeCluster; readonly random: Random } {
  return { cluster: new FakeCluster({ racks: 2, nodesPerRack: 3, gpus: 4 }, { restartCostMs: 1_000 }), random: createRandom(seed) };
}

function arrive(cluster: FakeCluster, random: Random, second: number): void {
  if (!random.chance(0.35)) return;
  cluster.step([
    applyJob(`j${second}`, {
      gpusPerWorker: random.pick([1, 1, 1, 2, 2, 3, 4, 4]) ?? 1,
      workers: random.pick([1, 1, 1, 1, 2]) ?? 1,
      preemptible: random.chance(0.85),
      minRuntimeMs: random.chance(0.2) ? 8_000 : 0,
      restarts: { max: 50, withinMs: null },
      segments: [],
    }),
  ]);
}

/** Some last long and some do not: a job that ends leaves its room scattered. */
const program = { total: 25, saveEvery: 2 };

const asked = (event: StampedEvent) =>
  event.kind === 'JobNominated' ? (event.moves ?? []).map((move) => ({ ...move, gang: event.uid, atMs: event.atMs })) : [];

/** Of what happened to it next, being asked was taken back. */
function isTakenBack(
  cluster: FakeCluster,
  move: { readonly uid: JobView['uid']; readonly gang: JobView['uid']; readonly atMs: number },
): boolean {
  const asking = cluster.log.findIndex((event) => event.kind === 'JobNominated' && event.uid === move.gang && event.atMs === move.atMs);
  const next = cluster.log
    .slice(asking)
    .find((event) => (event.kind === 'SuspendCancelled' || event.kind === 'AttemptEnded') && event.uid === move.uid);
  return next?.kind === 'SuspendCancelled';
}

function jobOf(cluster: FakeCluster, uid: JobView['uid']): JobView {
  const job = cluster.view.jobs.get(uid);
  if (job === undefined) throw new Error(`no job ${uid}`);
  return job;
}

describe('in peace', () => {
  test.each(seeds)('seed %i: who moves starts again at once where it was promised, rarely, and for a gang that then starts', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 150; second += 1) {
      if (second < 100) arrive(cluster, random, second);
      cluster.tick(program);
    }
    const restsUntilMs = new Map<string, number>();
    for (const move of cluster.log.flatMap(asked)) {
      const job = jobOf(cluster, move.uid);
      const left = job.attempts.findIndex(({ endedAtMs }) => endedAtMs !== null && endedAtMs >= move.atMs);
      const [before, after] = [job.attempts[left], job.attempts[left + 1]];
      expect(job.spec.preemptible).toBe(true);
      expect(move.atMs, job.name).toBeGreaterThanOrEqual((before?.placedAtMs ?? 0) + job.spec.minRuntimeMs);
      expect(move.atMs, `${job.name} was moved before`).toBeGreaterThanOrEqual(restsUntilMs.get(move.uid) ?? 0);
      expect(jobOf(cluster, move.gang).attempts.length).toBeGreaterThan(0);
      // It was done when it was asked, or runs on because the gang found room elsewhere.
      if (before?.end?.reasons[0] !== 'Moved' || isTakenBack(cluster, move)) continue;
      expect(after?.placedAtMs, job.name).toBe(before.endedAtMs);
      expect(after?.placement, job.name).toEqual(move.placement);
      restsUntilMs.set(move.uid, (after?.placedAtMs ?? 0) + 10 * move.costMs);
    }
    expect([...cluster.view.moving]).toEqual([]);
  });

  test('the stories are about it', () => {
    const moves = seeds.slice(0, 20).flatMap((seed) => {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 100; second += 1) {
        arrive(cluster, random, second);
        cluster.tick(program);
      }
      return cluster.log.filter((event) => event.kind === 'AttemptEnded' && event.reasons[0] === 'Moved');
    });
    expect(moves.length).toBeGreaterThan(20);
  });

  test('a pass right after decides nothing, and a state on the way goes through a snapshot whole', () => {
    let moving = 0;
    for (const seed of seeds.slice(0, 8)) {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 60; second += 1) {
        arrive(cluster, random, second);
        cluster.tick(program);
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        const events = cluster.log.length;
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        expect(cluster.log.slice(events), `seed ${seed} second ${second}`).toEqual([]);
        moving += cluster.view.moving.size;
        if (cluster.view.moving.size === 0) continue;
        const body = printSnapshot(cluster.view);
        const restored = restoreSnapshot(parseSnapshot(body));
        expect(printSnapshot(restored)).toBe(body);
        expect([...restored.moving].sort()).toEqual([...cluster.view.moving].sort());
        expect(findBrokenPromises(restored, policy)).toEqual([]);
      }
    }
    expect(moving).toBeGreaterThan(10);
  });

  test('with no arrivals and no ends, moves come to an end: passes as time goes by ask nobody twice', () => {
    for (const seed of seeds.slice(0, 5)) {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 40; second += 1) {
        arrive(cluster, random, second);
        cluster.tick({ total: 100_000, saveEvery: 2 });
      }
      const gangs = [...cluster.view.jobs.values()].filter((job) => job.phase.kind === 'pending').length;
      const before = cluster.log.length;
      for (let second = 0; second < 400; second += 1) cluster.tick({ total: 100_000, saveEvery: 2 });
      const nominations = cluster.log.slice(before).filter((event) => event.kind === 'JobNominated');
      expect(nominations.length, `seed ${seed}`).toBeLessThanOrEqual(gangs);
    }
  });
});

describe('whatever goes wrong', () => {
  test.each(seeds)('seed %i: every job ends well, nothing starts twice, and nothing is kept for anybody in the end', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 90; second += 1) {
      arrive(cluster, random, second);
      if (random.chance(0.2)) disturb(cluster, random);
      if (random.chance(0.05)) meddle(cluster, random);
      cluster.tick(program);
    }
    makePeace(cluster);
    for (let second = 0; second < 2_000 && !isOver(cluster); second += 1) cluster.tick(program);
    for (const job of cluster.view.jobs.values()) expect(job.phase.kind === 'finished' && job.phase.outcome, job.name).toBe('Succeeded');
    for (const agent of cluster.agents) expect(new Set(agent.started).size).toBe(agent.started.length);
    expect([...cluster.view.moving]).toEqual([]);
    expect(cluster.replay()).toBe(printSnapshot(cluster.view));
    expect(cluster.log.map(printLine).map(parseLine)).toEqual(cluster.log);
  });
});

const isOver = (cluster: FakeCluster): boolean => [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished');

/** Somebody changes the mind about a gang that has others moved, or about one that moves. */
function meddle(cluster: FakeCluster, random: Random): void {
  const [user, jobs] = [userName('bob'), [...cluster.view.jobs.values()]];
  const name = random.pick(jobs.filter((job) => job.nomination !== null || job.move?.kind === 'asked'))?.name;
  if (name === undefined) return;
  const kind = random.pick(['holdJob', 'releaseJob', 'suspendJob', 'nextJob'] as const) ?? 'holdJob';
  cluster.step([random.chance(0.3) ? { kind: 'deleteJob', name, user, now: random.chance(0.5) } : { kind, name, user }]);
}
