import { describe, expect, test } from 'vitest';
import { playSetup } from './playSetup.ts';
import { gpusOf, setups, type Setup, type WorkloadClass } from './setups.ts';

const anyTime = { bound: 0, seen: 0 };

const workloads = (name: string, times: Pick<WorkloadClass, 'count' | 'intervalMs' | 'runtimeMs'>, spec: WorkloadClass['spec']) => ({
  name,
  ...times,
  spec,
  admissionMs: anyTime,
});

/** Two queues of 4 GPUs that share one node of 8. */
const small: Setup = {
  name: 'small',
  cohorts: 1,
  queuesPerCohort: 2,
  guaranteed: 4,
  limit: 8,
  nodes: 1,
  nodesPerRack: 1,
  classes: [],
  kueue: { workloadsPerSecond: 1, makespanMs: anyTime, usagePct: anyTime },
};

describe('a set-up of Kueue in virtual time', () => {
  test('takes no longer than its workloads run when there is room for all', () => {
    const low = workloads('low', { count: 1, intervalMs: 100, runtimeMs: 50 }, { priority: 25, workers: 4 });
    const { makespanMs, usagePct, classes } = playSetup({ ...small, classes: [low] }, 'free');
    expect(makespanMs).toBe(150);
    // 50 ms of 150.
    expect(usagePct).toBeCloseTo(100 / 3);
    expect([...classes]).toEqual([['low', { finished: 2, evictions: 0, meanAdmissionMs: 0, maxAdmissionMs: 0 }]]);
  });

  test('makes who finds no quota wait for who runs', () => {
    const low = workloads('low', { count: 3, intervalMs: 10, runtimeMs: 100 }, { priority: 25, workers: 4 });
    const { makespanMs, classes } = playSetup({ ...small, classes: [low] }, 'free');
    // In each queue at 10, 110 and 210 ms; they came at 10, 20 and 30.
    expect(makespanMs).toBe(310);
    expect(classes.get('low')).toEqual({ finished: 6, evictions: 0, meanAdmissionMs: 90, maxAdmissionMs: 180 });
  });

  test('counts an evicted workload’s wait until its last admission', () => {
    const low = workloads('low', { count: 1, intervalMs: 10, runtimeMs: 100 }, { priority: 25, workers: 4 });
    const high = workloads('high', { count: 1, intervalMs: 50, runtimeMs: 100 }, { priority: 100, workers: 4 });
    const { makespanMs, classes } = playSetup({ ...small, classes: [low, high] }, 'free');
    expect(classes.get('high')).toEqual({ finished: 2, evictions: 0, meanAdmissionMs: 0, maxAdmissionMs: 0 });
    // From 10 to 150, and from then on all of it again.
    expect(classes.get('low')).toEqual({ finished: 2, evictions: 2, meanAdmissionMs: 140, maxAdmissionMs: 140 });
    expect(makespanMs).toBe(250);
  });

  test('is the same every time when steps are free', () => {
    const classes = setups[2]?.classes.map((of) => ({ ...of, count: Math.ceil(of.count / 20) })) ?? [];
    const play = () => ({ ...playSetup({ ...small, nodes: 20, nodesPerRack: 5, guaranteed: 8, limit: 16, classes }, 'free'), core: null });
    expect(play()).toEqual(play());
  });
});

test('the three set-ups ask for as much as Kueue’s', () => {
  const sizes = setups.map((setup) => {
    const queues = setup.cohorts * setup.queuesPerCohort;
    const perQueue = setup.classes.reduce((sum, { count }) => sum + count, 0);
    const gpuMs = setup.classes.reduce((sum, of) => sum + of.count * gpusOf(of) * of.runtimeMs, 0);
    return { name: setup.name, workloads: queues * perQueue, msOfQuota: gpuMs / setup.guaranteed };
  });
  expect(sizes).toEqual([
    { name: 'baseline', workloads: 15_000, msOfQuota: 66_000 },
    { name: 'large-scale', workloads: 50_000, msOfQuota: 4_025 },
    { name: 'tas', workloads: 15_000, msOfQuota: 66_000 },
  ]);
});
