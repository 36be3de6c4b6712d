import { describe, expect, test } from 'vitest';
import type { Policy } from '#core/context.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { JobSpec } from '#vocabulary/job.ts';

const quick = { restartCostMs: 1_000, growAfterIdleMs: 5_000, growRestMs: 10_000, growPaybackMs: 60_000 };
const program = { total: 10_000, saveEvery: 5 };

function begin(changes: Partial<Policy> = {}, spec: Partial<JobSpec> = {}): FakeCluster {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 }, { ...quick, ...changes });
  cluster.step([applyJob('sweep', { workers: 4, elastic: { minWorkers: 2, maxWorkers: 12 }, ...spec })]);
  return cluster;
}
const play = (cluster: FakeCluster, seconds: number): void => {
  for (let second = 0; second < seconds; second += 1) cluster.tick(program);
};
const sizeOf = (cluster: FakeCluster): number => cluster.job('sweep').attempts.at(-1)?.placement.length ?? 0;

describe('a running elastic job grows', () => {
  test('when it has stood for a while, into what has been idle for a while, as far as its range goes', () => {
    const cluster = begin();
    play(cluster, 9);
    expect(sizeOf(cluster)).toBe(4);
    play(cluster, 6);
    expect(sizeOf(cluster)).toBe(12);
    const { attempts } = cluster.job('sweep');
    expect(attempts[1]?.placement.slice(0, 4)).toEqual(attempts[0]?.placement);
    expect(attempts[0]?.end).toMatchObject({ reasons: ['Resized'], charged: false });
    expect(cluster.job('sweep').restarts).toEqual({ applicationAtMs: [], infrastructure: 0, preemption: 0 });
  });

  test.each<[string, Partial<Policy>, Partial<JobSpec>]>([
    ['nobody grows by policy', { growPaybackMs: 0 }, {}],
    ['it is not preemptible', {}, { preemptible: false }],
    ['its workers are spread', {}, { spread: { level: 'node', max: 2 } }],
    ['it has domains for itself', {}, { exclusive: 'node' }],
    ['there is less to gain than the policy asks for', { growPercentMin: 300 }, {}],
    ['what it gains in the time is less than the restart costs', { growPaybackMs: 1_200 }, {}],
    ['its minRuntime is not over', {}, { minRuntimeMs: 60_000 }],
  ])('not when %s', (_why, policy, spec) => {
    const cluster = begin(policy, spec);
    play(cluster, 40);
    expect(sizeOf(cluster)).toBe(4);
    expect(cluster.job('sweep').attempts.length).toBe(1);
  });

  test('not into what was left a moment ago, and with that as soon as it is old enough', () => {
    const cluster = begin({ growAfterIdleMs: 30_000 });
    cluster.step([applyJob('other', { workers: 12 }, 'bob')]);
    play(cluster, 15);
    cluster.step([{ kind: 'deleteJob', name: cluster.job('other').name, user: cluster.job('other').user, now: true }]);
    play(cluster, 29);
    expect(sizeOf(cluster)).toBe(4);
    play(cluster, 8);
    expect(sizeOf(cluster)).toBe(12);
  });

  test('no further than its quota, and not by what others are promised', () => {
    const limited = begin();
    limited.step([applyQueue('default', { limit: { H100: 6 } })]);
    play(limited, 20);
    expect(sizeOf(limited)).toBe(6);
    const promised = begin({ reservationsPerQueue: 1 });
    promised.step([
      applyJob('busy', { workers: 4, maxRuntimeMs: 500_000, preemptible: false }, 'bob'),
      applyJob('wide', { workers: 12 }, 'carol'),
    ]);
    play(promised, 40);
    expect(promised.placements().join('\n')).toContain('wide waits: 12 x 1 GPUs reserved');
    expect(sizeOf(promised)).toBe(4);
  });

  test('into a place that empties for a gang, and gives it back when the gang fits', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 3, gpus: 4 }, { ...quick, targetAfterMs: 5_000, targetGpusMin: 4 });
    const level = [{ level: 'node', mode: 'required' as const, waitMs: null }];
    cluster.step([
      applyJob('sweep', { workers: 2, elastic: { minWorkers: 2, maxWorkers: 8 } }),
      applyJob('busy', { gpusPerWorker: 4, preemptible: false }, 'bob'),
      applyJob('long', { gpusPerWorker: 2, preemptible: false }, 'bob'),
      applyJob('late', { gpusPerWorker: 1, preemptible: false, constraints: level }, 'bob'),
    ]);
    cluster.step([applyJob('wide', { workers: 2, gpusPerWorker: 4 }, 'carol')]);
    cluster.until('it has a target', () => cluster.job('wide').target !== null, 20);
    play(cluster, 20);
    expect(sizeOf(cluster)).toBeGreaterThan(2);
    const { name, user } = cluster.job('late');
    cluster.step([{ kind: 'deleteJob', name, user, now: true }]);
    const busy = cluster.job('busy');
    cluster.step([{ kind: 'deleteJob', name: busy.name, user: busy.user, now: true }]);
    cluster.until('the gang runs', () => cluster.job('wide').phase.kind === 'active', 20);
  });

  test('just after it has saved, when it would lose more than it gains before', () => {
    const cluster = begin({ growPaybackMs: 3_500, growPercentMin: 100 }, { elastic: { minWorkers: 2, maxWorkers: 8 } });
    for (let second = 0; second < 60 && cluster.job('sweep').attempts.length === 1; second += 1)
      cluster.tick({ total: 10_000, saveEvery: 20 });
    const asked = cluster.log.find((event) => event.kind === 'GrowthChosen');
    const saved = cluster.log.findLast((event) => event.kind === 'CheckpointCompleted' && event.atMs <= (asked?.atMs ?? 0));
    expect((asked?.atMs ?? 0) - (saved?.atMs ?? 0)).toBeLessThanOrEqual(2_000);
  });

  test('in whole data replicas', () => {
    const mesh = [
      { axis: 'data', size: 1 },
      { axis: 'tensor', size: 4 },
    ] as const;
    const cluster = begin({}, { mesh, elastic: { minWorkers: 4, maxWorkers: 11 } });
    play(cluster, 20);
    expect(sizeOf(cluster)).toBe(8);
  });

  test('those furthest below what they asked for first', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 }, quick);
    const elastic = { minWorkers: 1, maxWorkers: 8 };
    cluster.step([
      applyJob('block', { workers: 4, preemptible: false }),
      applyJob('a', { workers: 2, elastic }),
      applyJob('b', { workers: 6, elastic }),
    ]);
    cluster.step([{ kind: 'deleteJob', name: cluster.job('block').name, user: cluster.job('block').user, now: true }]);
    play(cluster, 20);
    expect(cluster.job('b').attempts.at(-1)?.placement.length).toBe(6);
    expect(cluster.job('a').attempts.length).toBe(1);
  });
});

describe('what it is to have is kept from nobody', () => {
  test('who comes before it has left takes it, and it runs on', () => {
    const cluster = begin();
    cluster.until('it is asked', () => cluster.job('sweep').move?.kind === 'asked', 20);
    cluster.step([applyJob('wide', { workers: 12 }, 'bob')]);
    expect(cluster.placements().join('\n')).toContain('wide n');
    play(cluster, 10);
    expect(cluster.job('sweep').attempts.length).toBe(1);
    expect(cluster.job('sweep').move).toBeNull();
  });

  test('who comes when its stop is decided takes it, and it is back where it was', () => {
    const cluster = begin();
    const isDecided = (): boolean => {
      const stage = cluster.job('sweep').attempts.at(-1)?.stage;
      return stage?.kind === 'suspending' && stage.stage.kind === 'decided';
    };
    cluster.until('it is decided', isDecided, 20);
    cluster.step([applyJob('wide', { workers: 12 }, 'bob')]);
    play(cluster, 5);
    const [before, after] = cluster.job('sweep').attempts;
    expect(after?.placement).toEqual(before?.placement);
    expect(cluster.placements().join('\n')).toContain('wide n');
  });
});
