import { describe, expect, test } from 'vitest';
import { defaultPolicy } from '#controller/limits.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { mayBorrow } from '#core/schedule/spares/borrow.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { JobView } from '#core/state/view.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import { cases } from '#test/cases.ts';
import { applyJob, disturb, FakeCluster } from './fakeCluster.ts';
import { makePeace } from './makePeace.ts';

/** The promises, the ledger and the required levels are checked after every step, by the cluster itself. */
const seeds = Array.from({ length: cases(16) }, (_, index) => index + 1);

/** Two racks with a spare each, jobs that want more of their own, and work that spares are lent to. */
function begin(seed: number): { readonly cluster: FakeCluster; readonly random: Random } {
  const spares = { ...defaultPolicy.spares, level: 'rack', nodes: 1, graceMs: 3_000 };
  return { cluster: new FakeCluster({ racks: 2, nodesPerRack: 4, gpus: 2 }, { spares, restartCostMs: 1_000 }), random: createRandom(seed) };
}

function arrive(cluster: FakeCluster, random: Random, second: number): void {
  if (!random.chance(0.3)) return;
  const workers = random.pick([1, 1, 1, 2, 3, 4]) ?? 1;
  cluster.step([
    applyJob(`j${second}`, {
      workers,
      gpusPerWorker: random.pick([1, 2, 2]) ?? 1,
      priority: random.pick([10, 20, 50]) ?? 20,
      preemptible: random.chance(0.7),
      minRuntimeMs: random.chance(0.2) ? 5_000 : 0,
      spares: random.chance(0.4) ? 1 + random.below(2) : 0,
      restarts: { max: 50, withinMs: null },
      segments: workers % 2 === 0 && random.chance(0.4) ? [{ level: 'rack', workers: 2 }] : [],
      constraints: workers < 4 && random.chance(0.2) ? [{ level: 'rack', mode: 'required', waitMs: null }] : [],
      spread: workers > 1 && random.chance(0.15) ? { level: 'rack', max: 2 } : null,
    }),
  ]);
}

/** Who stands on spare nodes and could not be asked to leave at once. */
function squatters(cluster: FakeCluster): readonly string[] {
  return [...cluster.view.spares].flatMap((name) =>
    [...(cluster.view.nodes.get(name)?.jobs ?? [])].flatMap((uid) => {
      const job = cluster.view.jobs.get(uid);
      const places = job === undefined ? [] : (currentAttempt(job)?.placement ?? []);
      return job === undefined || (mayBorrow(job.spec) && places.every(({ node }) => node === name)) ? [] : [`${job.name} on ${name}`];
    }),
  );
}

function sparesOf(cluster: FakeCluster, job: JobView): number {
  return [...cluster.view.nodes.values()].filter(({ spare }) => spare?.kind === 'job' && spare.uid === job.uid).length;
}

describe('whatever goes wrong', () => {
  test.each(seeds)('seed %i: spares are lent to nobody who stays, nobody has too many, a pass after a pass decides nothing', (seed) => {
    const { cluster, random } = begin(seed);
    for (let second = 0; second < 80; second += 1) {
      arrive(cluster, random, second);
      if (random.chance(0.2)) disturb(cluster, random);
      cluster.tick({ total: 25, saveEvery: 3 });
      for (let passes = 0; cluster.more && passes < 20; passes += 1) cluster.step([]);
      const before = cluster.log.length;
      cluster.state.scheduleDirty = true;
      cluster.step([]);
      expect(cluster.log.slice(before).map(({ kind }) => kind)).toEqual([]);
      expect(squatters(cluster)).toEqual([]);
      for (const job of cluster.view.jobs.values()) {
        expect(sparesOf(cluster, job)).toBeLessThanOrEqual(job.spec.spares);
        expect(job.attempts.every(({ end }) => end?.charged !== true || end.reasons[0] === 'ApplicationFailure')).toBe(true);
      }
    }
    const body = printSnapshot(cluster.view);
    expect(cluster.replay()).toBe(body);
    expect(printSnapshot(restoreSnapshot(parseSnapshot(body)))).toBe(body);
    expect([...restoreSnapshot(parseSnapshot(body)).spares].sort()).toEqual([...cluster.view.spares].sort());
    makePeace(cluster);
    cluster.until('every job has finished', () => [...cluster.view.jobs.values()].every(({ phase }) => phase.kind === 'finished'), 3_000);
    const kinds = [...cluster.view.nodes.values()].flatMap(({ spare }) => spare?.kind ?? []);
    expect(kinds).toEqual(['pool', 'pool']);
  });

  test('spares are used, lent, asked back and chosen anew in these stories', () => {
    const seen = { used: 0, lent: 0, recalled: 0, spared: 0 };
    for (const seed of seeds) {
      const { cluster, random } = begin(seed);
      for (let second = 0; second < 80; second += 1) {
        arrive(cluster, random, second);
        if (random.chance(0.2)) disturb(cluster, random);
        cluster.tick({ total: 25, saveEvery: 3 });
        if ([...cluster.view.spares].some((name) => (cluster.view.nodes.get(name)?.jobs.size ?? 0) > 0)) seen.lent += 1;
      }
      for (const event of cluster.log) {
        if (event.kind === 'NodeSpared') seen.spared += 1;
        if (event.kind === 'SpareReleased' && event.message.startsWith('job ')) seen.used += 1;
        if (event.kind === 'SuspendStaged' && event.message?.startsWith('its node is a spare') === true) {
          seen.recalled += 1;
          expect(event.graceMs).toBe(3_000);
        }
      }
    }
    expect(Object.entries(seen).filter(([, count]) => count < 3)).toEqual([]);
  });
});
