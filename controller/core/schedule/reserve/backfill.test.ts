import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases, longest } from '#test/cases.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { userName } from '#vocabulary/ids.ts';

const node = (name: string, gpus: number, rack = 'r1') => ({ name, rack, gpus });
/** Programs that never end by themselves: each job holds its place as long as it may. */
const endless = { total: 1e9, saveEvery: 5 };
/** A job of the one user, who so has nobody to be fair to; nobody may be asked to leave. */
const job = (name: string, seconds: number | null, changes: Partial<JobSpec> = {}) =>
  applyJob(name, {
    preemptible: false,
    maxRuntimeMs: seconds === null ? null : seconds * 1_000,
    checkpoint: { directory: '/ckpt', intervalMs: null, graceMs: 1_000, keep: null },
    ...changes,
  });

function run(cluster: FakeCluster, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) cluster.tick(endless);
}

const places = (cluster: FakeCluster): readonly string[] => cluster.placements();
const runs = (cluster: FakeCluster, name: string): boolean => cluster.job(name).phase.kind === 'active';

describe('a reservation', () => {
  /** Two GPUs busy for 60 s, two free; `big` wants all four. */
  function waiting(): FakeCluster {
    const cluster = new FakeCluster([node('n1', 2), node('n2', 2)]);
    cluster.step([job('busy', 60, { gpusPerWorker: 2 })]);
    cluster.step([job('big', 100, { workers: 4 })]);
    return cluster;
  }

  test('says where, and from when for sure: the promised end, the grace, and what stopping takes', () => {
    const cluster = waiting();
    expect(places(cluster)[0]).toBe(
      'big waits: 4 x 1 GPUs reserved from 1970-01-01T00:17:46Z on n1, n2, when those who are there have ended',
    );
    run(cluster, 66);
    expect(runs(cluster, 'big')).toBe(true);
  });

  test('lets those behind start who are gone before it', () => {
    const cluster = waiting();
    cluster.step([job('short', 50, { gpusPerWorker: 2 })]);
    expect(runs(cluster, 'short')).toBe(true);
    run(cluster, 66);
    expect(runs(cluster, 'big')).toBe(true);
  });

  test('keeps those out who might not be', () => {
    const cluster = waiting();
    cluster.step([job('long', 70), job('unknown', null)]);
    expect(places(cluster).slice(2)).toEqual([
      'long waits: 1 x 1 GPUs wanted on H100; 0 of 1 workers fit now (0 GPUs free, 2 more are kept for jobs ahead)',
      'unknown waits: 1 x 1 GPUs wanted on H100; 0 of 1 workers fit now (0 GPUs free, 2 more are kept for jobs ahead)',
    ]);
  });

  test('is beside the point for those who stay out of its place', () => {
    const cluster = new FakeCluster([node('n1', 2), node('n2', 2), node('n3', 2, 'r2')]);
    const rack = [{ level: 'rack', mode: 'required' as const, waitMs: null }];
    cluster.step([job('busy', 60, { gpusPerWorker: 2 })]);
    cluster.step([job('big', 100, { workers: 4, constraints: rack })]);
    cluster.step([job('long', 900), job('longer', 900), job('longest', 900)]);
    expect(places(cluster).filter((line) => line.includes(' n3:'))).toHaveLength(2);
    expect(places(cluster)[0]).toContain('reserved from');
    run(cluster, 70);
    expect(runs(cluster, 'big')).toBe(true);
  });

  test('owes nothing to a job ahead of it', () => {
    const cluster = waiting();
    cluster.step([job('urgent', 500, { priority: 90 })]);
    expect(runs(cluster, 'urgent')).toBe(true);
  });

  test('is made for one job of a queue, or for as many as the policy says: conservative backfill', () => {
    for (const reservationsPerQueue of [0, 1, 2]) {
      const cluster = new FakeCluster([node('n1', 2)], { reservationsPerQueue });
      cluster.step([job('busy', 60, { gpusPerWorker: 2 })]);
      cluster.step([job('a', 40, { gpusPerWorker: 2 }), job('b', 40, { gpusPerWorker: 2 })]);
      const reserved = places(cluster).filter((line) => line.includes('reserved from'));
      expect(reserved.map((line) => line.slice(0, 60))).toEqual(
        [
          'a waits: 1 x 2 GPUs reserved from 1970-01-01T00:17:46Z on n1',
          'b waits: 1 x 2 GPUs reserved from 1970-01-01T00:18:32Z on n1',
        ].slice(0, reservationsPerQueue),
      );
    }
  });

  test('is not possible when somebody in the way never said how long it runs', () => {
    const cluster = new FakeCluster([node('n1', 2)]);
    cluster.step([job('busy', null), job('known', 30)]);
    cluster.step([job('big', 100, { workers: 2 })]);
    expect(places(cluster)[0]).toBe('big waits: 2 x 1 GPUs wanted on H100; 0 of 2 workers fit now (0 GPUs free)');
  });
});

describe('a limit', () => {
  const models = [node('n1', 2), { ...node('n2', 2), model: 'A100' }];

  test('keeps nothing of a model that it keeps the job from, though there is a shortage of another one', () => {
    const cluster = new FakeCluster(models);
    cluster.step([applyQueue('default', { limit: { A100: 1 } }), job('busy', null, { gpusPerWorker: 2, gpuModels: ['H100'] })]);
    cluster.step([job('two', 100, { gpusPerWorker: 2 })]);
    expect(places(cluster)[1]).toBe('two waits: 1 x 2 GPUs wanted on H100; 0 of 1 workers fit now (0 GPUs free)');
    cluster.step([job('one', null, { gpuModels: ['A100'] })]);
    expect(runs(cluster, 'one')).toBe(true);
  });

  test('that comes later takes the target away', () => {
    const cluster = new FakeCluster(models, { targetAfterMs: 0, targetGpusMin: 1, timeSlicing: false });
    cluster.step([job('busy', null, { gpuModels: ['H100'] }), job('there', null, { gpuModels: ['A100'] })]);
    cluster.step([job('hero', null, { gpusPerWorker: 2, gpuModels: ['A100', 'H100'] })]);
    run(cluster, 2);
    expect(cluster.job('hero').target?.model).toBe('A100');
    cluster.step([applyQueue('default', { limit: { A100: 1 } })]);
    run(cluster, 2);
    expect(cluster.job('hero').target?.model).toBe('H100');
  });
});

describe('a target', () => {
  /** `hero` wants both nodes of one rack; jobs of unknown length are everywhere, and more of them come. */
  function waiting(): FakeCluster {
    const cluster = new FakeCluster([node('n1', 2), node('n2', 2), node('n3', 2, 'r2'), node('n4', 2, 'r2')], {
      targetAfterMs: 30_000,
      targetGpusMin: 4,
    });
    for (let each = 0; each < 8; each += 1) cluster.step([job(`small${each}`, null)]);
    cluster.step([job('hero', null, { workers: 2, gpusPerWorker: 2, constraints: [{ level: 'rack', mode: 'required', waitMs: null }] })]);
    return cluster;
  }
  const chosen = (cluster: FakeCluster): number => cluster.log.filter(({ kind }) => kind === 'TargetChosen').length;
  const end = (cluster: FakeCluster, name: string): void => {
    cluster.step([{ kind: 'deleteJob', name: cluster.job(name).name, user: userName('alice'), now: true }]);
    run(cluster, 4);
  };

  test('is chosen after its time, though nothing else happens, and once', () => {
    const cluster = waiting();
    run(cluster, 28);
    expect(chosen(cluster)).toBe(0);
    run(cluster, 10);
    expect(chosen(cluster)).toBe(1);
    expect(places(cluster)[0]).toBe('hero waits: 2 x 2 GPUs wanted; n1, n2 are kept for it and empty: room for 0 of 2 workers now');
  });

  test('fills as jobs end, though others wait behind', () => {
    const cluster = waiting();
    run(cluster, 35);
    cluster.step([job('later', null), job('last', null)]);
    const there = [...cluster.view.jobs.values()].filter(({ attempts }) =>
      ['n1', 'n2'].includes(attempts.at(-1)?.placement[0]?.node ?? ''),
    );
    for (const { name } of there) end(cluster, name);
    expect(there).toHaveLength(4);
    expect(runs(cluster, 'hero')).toBe(true);
    expect(runs(cluster, 'later')).toBe(false);
    expect(cluster.job('hero').target).toBeNull();
  });

  test('is given up when a node of it takes no work any more, for another one', () => {
    const cluster = waiting();
    run(cluster, 35);
    cluster.step([{ kind: 'cordonNode', node: cluster.agent('n1').name, user: userName('bob'), reason: '', drain: false }]);
    expect(places(cluster)[0]).toContain('n3, n4 are kept for it');
  });

  test('is given up when the job is held, and does not keep anybody out then', () => {
    const cluster = waiting();
    run(cluster, 35);
    cluster.step([{ kind: 'holdJob', name: cluster.job('hero').name, user: userName('bob') }]);
    expect(cluster.job('hero').target).toBeNull();
    cluster.step([job('later', null)]);
    end(cluster, 'small0');
    expect(runs(cluster, 'later')).toBe(true);
  });
});

describe('backfill', () => {
  const anyJob = fc.record({
    second: fc.integer({ min: 0, max: 60 }),
    workers: fc.integer({ min: 1, max: 6 }),
    gpusPerWorker: fc.constantFrom(1, 1, 2),
    runsFor: fc.option(fc.integer({ min: 5, max: 60 }), { nil: null, freq: 6 }),
    rack: fc.boolean(),
  });

  test.each([1, 3])(
    'with %i reservations never delays the first: whoever is promised a time starts by it',
    (reservationsPerQueue) => {
      let promised = 0;
      fc.assert(
        fc.property(fc.array(anyJob, { minLength: 4, maxLength: 14 }), (wanted) => {
          const cluster = new FakeCluster([node('n1', 2), node('n2', 2), node('n3', 2, 'r2')], { reservationsPerQueue });
          const byMs = new Map<string, number>();
          // All of one user and priority: in the order in which they come, so nobody ever comes ahead of one that waits.
          const arrivals = wanted.toSorted((left, right) => left.second - right.second);
          for (let second = 0; second < 300; second += 1) {
            for (const [index, each] of arrivals.entries()) {
              if (each.second !== second) continue;
              const name = `j${String(index).padStart(2, '0')}`;
              const constraints = each.rack ? [{ level: 'rack', mode: 'required' as const, waitMs: null }] : [];
              cluster.step([job(name, each.runsFor, { workers: each.workers, gpusPerWorker: each.gpusPerWorker, constraints })]);
            }
            // Those after the first may move when one ahead of them finds a better place.
            const [uid, wait] = [...cluster.waits].find(([, each]) => each.kind === 'Reserved') ?? [];
            if (uid !== undefined && wait?.kind === 'Reserved') {
              promised += 1;
              const before = byMs.get(uid) ?? Infinity;
              expect(wait.atMs, `${uid} was promised ${before}`).toBeLessThanOrEqual(before);
              byMs.set(uid, wait.atMs);
            }
            cluster.tick(endless);
          }
          for (const [uid, atMs] of byMs) {
            if (atMs > cluster.nowMs) continue;
            const placed = [...cluster.view.jobs.values()].find((each) => each.uid === uid)?.attempts[0]?.placedAtMs ?? Infinity;
            expect(placed, `${uid} was promised ${atMs}`).toBeLessThanOrEqual(atMs);
          }
        }),
        { numRuns: cases(25) },
      );
      expect(promised).toBeGreaterThan(50);
    },
    longest(300_000),
  );
});
