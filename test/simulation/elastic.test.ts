import { describe, expect, test } from 'vitest';
import { parseLine, parseSnapshot, printLine } from '#controller/loop/logLine.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { isResizable } from '#core/jobs/size.ts';
import { apply } from '#core/state/apply.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { JobView } from '#core/state/view.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import { cases } from '#test/cases.ts';
import { sizeRange } from '#vocabulary/elastic.ts';
import { queueName } from '#vocabulary/ids.ts';
import type { WorkerPlace } from '#vocabulary/job.ts';
import { applyJob, applyQueue, disturb, FakeCluster, policy } from './fakeCluster.ts';
import { makePeace } from './makePeace.ts';

/** The promises are checked after every step, by the cluster itself: sizes are among them. */
const seeds = Array.from({ length: cases(10) }, (_, index) => index + 1);

/** As patient as two minutes of a test allow. */
const quick = { restartCostMs: 1_000, growAfterIdleMs: 3_000, growRestMs: 6_000, growPaybackMs: 60_000 };

function begin(seed: number): { readonly cluster: FakeCluster; readonly random: Random } {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 3, gpus: 4 }, quick);
  cluster.step([applyQueue('safe', { guaranteed: { H100: 10 } }), applyQueue('tight', { limit: { H100: 16 } })]);
  return { cluster, random: createRandom(seed) };
}

function arrive(cluster: FakeCluster, random: Random, second: number): void {
  if (!random.chance(0.3)) return;
  const isMeshed = random.chance(0.25);
  const isElastic = random.chance(0.6);
  const base = {
    queue: queueName(random.pick(['default', 'default', 'safe', 'tight']) ?? 'default'),
    priority: random.pick([10, 20, 20, 30]) ?? 20,
    preemptible: random.chance(0.85),
    minRuntimeMs: random.chance(0.2) ? 8_000 : 0,
    restarts: { max: 50, withinMs: null },
    maxRuntimeMs: random.chance(0.3) ? 20_000 : null,
  };
  const meshed = {
    workers: 4,
    mesh: [
      { axis: 'data' as const, size: 2 },
      { axis: 'tensor' as const, size: 2 },
    ],
    segments: [{ level: 'node', workers: 2 }],
    elastic: { minWorkers: 1, maxWorkers: 9 },
  };
  const plain = {
    workers: random.pick([1, 1, 2, 3, 4]) ?? 1,
    gpusPerWorker: random.pick([1, 1, 1, 2, 4]) ?? 1,
    elastic: isElastic ? { minWorkers: 1, maxWorkers: random.pick([4, 6, 12]) ?? 4 } : null,
  };
  cluster.step([applyJob(`j${second}`, { ...base, ...(isMeshed ? meshed : plain) })]);
}

const program = { total: 40, saveEvery: 3 };
const placeKey = ({ node, gpus }: WorkerPlace): string => `${node}:${gpus.join()}`;

/** Consecutive attempts of which the first one ended to change the size. */
function resizes(
  cluster: FakeCluster,
): readonly { readonly job: JobView; readonly from: JobView['attempts'][number]; readonly to: JobView['attempts'][number] }[] {
  return [...cluster.view.jobs.values()].flatMap((job) =>
    job.attempts.flatMap((from, index) => {
      const to = job.attempts[index + 1];
      return from.end?.reasons[0] === 'Resized' && to !== undefined ? [{ job, from, to }] : [];
    }),
  );
}

describe('in peace', () => {
  test.each(seeds)('seed %i: who changes its size goes on at once from its last step, with all whom it keeps where they stood', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 150; second += 1) {
      if (second < 110) arrive(cluster, random, second);
      cluster.tick(program);
    }
    for (const { job, from, to } of resizes(cluster)) {
      expect(to.placedAtMs, job.name).toBe(from.endedAtMs);
      // A fake program that comes to its end while it is asked exits without saving.
      if (from.lastStep < program.total) expect(to.resume?.step, job.name).toBe(from.lastStep);
      const [before, after] = [from.placement.map(placeKey), to.placement.map(placeKey)];
      const stayed = before.filter((place) => after.includes(place));
      // Smaller: a part of what it had, in its order. Larger: all that it had, and more behind it.
      expect(stayed, job.name).toEqual(after.length <= before.length ? after : after.slice(0, before.length));
      expect(to.placement.length, job.name).toBeGreaterThanOrEqual(sizeRange(job.spec).min);
    }
    expect([...cluster.view.moving].filter((uid) => cluster.job(uid.replace('uid-', '')).phase.kind !== 'active')).toEqual([]);
  });

  test('the stories are about it: gangs shrink and grow', () => {
    const seen = { shrank: 0, grew: 0, startedSmall: 0 };
    for (let seed = 1; seed <= 8; seed += 1) {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 110; second += 1) {
        arrive(cluster, random, second);
        cluster.tick(program);
      }
      for (const { from, to } of resizes(cluster)) seen[to.placement.length < from.placement.length ? 'shrank' : 'grew'] += 1;
      for (const { spec, attempts } of cluster.view.jobs.values())
        if ((attempts[0]?.placement.length ?? spec.workers) < spec.workers) seen.startedSmall += 1;
    }
    expect(seen.shrank).toBeGreaterThan(10);
    expect(seen.grew).toBeGreaterThan(10);
    expect(seen.startedSmall).toBeGreaterThan(5);
  });

  test('a pass right after decides nothing, and a state on the way goes through a snapshot and a log whole', () => {
    let resizing = 0;
    for (const seed of seeds.slice(0, 4)) {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 70; second += 1) {
        arrive(cluster, random, second);
        cluster.tick(program);
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        for (let passes = 0; cluster.more && passes < 20; passes += 1) cluster.step([]);
        const events = cluster.log.length;
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        expect(cluster.log.slice(events), `seed ${seed} second ${second}`).toEqual([]);
        const resizable = [...cluster.view.jobs.values()].filter((job) => job.phase.kind === 'active' && isResizable(job));
        expect([...cluster.view.resizable].sort()).toEqual(resizable.map(({ uid }) => uid).sort());
        resizing += cluster.view.moving.size;
        if (cluster.view.moving.size === 0) continue;
        const body = printSnapshot(cluster.view);
        const restored = restoreSnapshot(parseSnapshot(body));
        expect(printSnapshot(restored)).toBe(body);
        expect([...restored.resizable].sort()).toEqual([...cluster.view.resizable].sort());
        expect(findBrokenPromises(restored, policy)).toEqual([]);
      }
      const replayed = emptyState();
      for (const event of cluster.log) apply(replayed, parseLine(printLine(event)), policy.recentEventsMax);
      expect(printSnapshot(replayed)).toBe(printSnapshot(cluster.view));
    }
    expect(resizing).toBeGreaterThan(10);
  });

  test.each(seeds.slice(0, 4))('seed %i: with no arrivals and no ends, sizes come to rest', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 50; second += 1) {
      arrive(cluster, random, second);
      cluster.tick({ total: 100_000, saveEvery: 3 });
    }
    const sizes = (): readonly string[] =>
      [...cluster.view.jobs.values()].map((job) => `${job.name} ${job.attempts.length} ${currentAttempt(job)?.placement.length ?? 0}`);
    for (let second = 0; second < 300; second += 1) cluster.tick({ total: 100_000, saveEvery: 3 });
    const before = sizes();
    for (let second = 0; second < 100; second += 1) cluster.tick({ total: 100_000, saveEvery: 3 });
    // Time slicing goes on by design: only of those who are never stopped for others it is said.
    const sliced = new Set(
      [...cluster.view.jobs.values()].filter(({ attempts }) => attempts.some(({ end }) => end?.reasons[0] === 'Preempted')),
    );
    if (sliced.size === 0) expect(sizes()).toEqual(before);
    const late = resizes(cluster).filter(({ to }) => to.placedAtMs > cluster.nowMs - 100_000);
    if (sliced.size === 0) expect(late).toEqual([]);
  });
});

describe('whatever goes wrong', () => {
  test.each(seeds)('seed %i: every job ends well, nothing starts twice, and nothing is kept for anybody in the end', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 90; second += 1) {
      arrive(cluster, random, second);
      if (random.chance(0.12)) disturb(cluster, random);
      cluster.tick(program);
    }
    makePeace(cluster);
    cluster.until('all jobs are over', () => [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished'), 1_500);
    for (const agent of cluster.agents) expect(new Set(agent.started).size).toBe(agent.started.length);
    expect([...cluster.view.moving]).toEqual([]);
    expect([...cluster.view.resizable]).toEqual([]);
  });
});
