import { describe, expect, test } from 'vitest';
import { fillSegments, poissonQuantile, sizePool } from './sizePool.ts';

const dayMs = 86_400_000;
/** Soft repairs of half an hour, hard ones of five days. */
const meanRepairMs = (softShare: number): number => softShare * 1_800_000 + (1 - softShare) * 5 * dayMs;
const sizeOf = (perNodeDay: number, nodes: number, softShare: number): number =>
  sizePool({
    nodes,
    gpus: nodes * 8,
    segmentNodes: 1,
    failuresPerMillionGpuHours: (perNodeDay / 8 / 24) * 1e6,
    repairMs: meanRepairMs(softShare),
    emptyChance: 0.01,
  }).nodes;

describe('the size of a pool', () => {
  test('covers what is out of service at the 99th percentile, as it is published for these rates and clusters', () => {
    // Nodes out of service at P99 for failure rates a node and day, and shares of soft repairs of 95, 90 and 80 %.
    const want = {
      '0.0065 2048': [9, 14, 23],
      '0.0065 12500': [34, 58, 104],
      '0.00379 2048': [6, 9, 15],
      '0.00379 12500': [22, 37, 65],
      '0.00234 2048': [5, 7, 11],
      '0.001 2048': [3, 4, 6],
      '0.001 12500': [8, 13, 22],
    };
    const sizes = Object.keys(want).map((key) => {
      const [rate = 0, nodes = 0] = key.split(' ').map(Number);
      return [key, [0.95, 0.9, 0.8].map((soft) => sizeOf(rate, nodes, soft))];
    });
    expect(Object.fromEntries(sizes)).toEqual(want);
  });

  test('one pool for many domains needs less than one for each', () => {
    const one = sizeOf(0.00379, 16, 0.9);
    expect([one, sizeOf(0.00379, 1_024, 0.9)]).toEqual([1, 6]);
  });

  test('is what segments leave anyway', () => {
    expect(fillSegments(18, 1, 16)).toEqual({ nodes: 2, segments: 1 });
    expect(fillSegments(18, 2, 16)).toEqual({ nodes: 2, segments: 1 });
    expect(fillSegments(18, 1, 9)).toEqual({ nodes: 9, segments: 1 });
    expect(fillSegments(16, 1, 8)).toEqual({ nodes: 8, segments: 1 });
    expect(fillSegments(5, 9, 2)).toEqual({ nodes: 5, segments: 0 });
    expect(fillSegments(16, 0, 5)).toEqual({ nodes: 0, segments: 3 });
  });

  test('is nothing where nothing fails, and bounded by the domain', () => {
    const facts = { nodes: 4, gpus: 32, segmentNodes: 1, failuresPerMillionGpuHours: 0, repairMs: dayMs, emptyChance: 0.01 };
    expect(sizePool(facts)).toEqual({ wanted: 0, nodes: 0, segments: 4 });
    expect(sizePool({ ...facts, failuresPerMillionGpuHours: 1e6 })).toEqual({ wanted: 4, nodes: 4, segments: 0 });
  });
});

test('the quantile of Poisson is the least that is passed with at most the chance, also for large means', () => {
  expect(poissonQuantile(0, 0.01)).toBe(0);
  // P(X > 0) = 1 - exp(-0.01) = 0.00995.
  expect([poissonQuantile(0.01, 0.01), poissonQuantile(0.0101, 0.01)]).toEqual([0, 1]);
  expect(poissonQuantile(2_000, 0.01)).toBeGreaterThan(2_000 + 2.2 * Math.sqrt(2_000));
  expect(poissonQuantile(2_000, 0.01)).toBeLessThan(2_000 + 2.5 * Math.sqrt(2_000));
});
