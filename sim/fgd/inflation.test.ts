import { describe, expect, it } from 'vitest';
import { GoRandom } from './goRandom.ts';
import { capacityMilliOf, inflationOrder, runInflation } from './inflation.ts';
import { placeLive } from './livePlacer.ts';
import { readNodes, readPods, typicalShapes } from './openbLists.ts';
import type { Policy } from './policies.ts';
import { openPlacer } from './policies.ts';

const nodes = readNodes();
const pods = readPods('default');
const capacityMilli = capacityMilliOf(nodes);

function unallocated(policy: Policy, seed: number): number {
  const order = inflationOrder(pods, capacityMilli, seed);
  return runInflation(order, capacityMilli, openPlacer(policy, { nodes, pods, seed })).unallocatedPercent;
}

describe('GoRandom', () => {
  it('gives the numbers of Go 1.26 for seed 42', () => {
    const random = new GoRandom(42);
    expect(random.int63()).toBe(3_440_579_354_231_278_675n);
    const items = [...new Array(8152).keys()];
    random.shuffle(items);
    expect(items.slice(0, 10)).toEqual([255, 1685, 6784, 4463, 602, 1564, 3882, 7257, 6545, 1541]);
    expect(Array.from({ length: 8 }, () => random.intn(8152))).toEqual([3888, 5689, 2936, 788, 5416, 104, 5457, 3884]);
    expect(random.intn(64)).toBe(9);
    expect(random.int63()).toBe(2_126_584_198_113_903_072n);
  });
});

describe('the openb lists', () => {
  it('have the size that the paper gives', () => {
    expect(nodes).toHaveLength(1213);
    expect(capacityMilli).toBe(6_212_000);
    expect(pods).toHaveLength(8152);
    expect(typicalShapes(pods)).toHaveLength(35);
  });
});

describe('the inflation experiment', () => {
  it('asks for as much as fits below 130 % of the cluster, the same each time', () => {
    const order = inflationOrder(pods, capacityMilli, 42);
    const demand = order.reduce((sum, pod) => sum + pod.gpus * pod.gpuMilli, 0);
    expect(demand / capacityMilli).toBeGreaterThan(1.298);
    expect(demand / capacityMilli).toBeLessThanOrEqual(1.3);
    expect(inflationOrder(pods, capacityMilli, 42)).toEqual(order);
  });

  it('leaves far fewer in the placement code of a pass than without what was asked of late, on an eighth of the cluster', () => {
    const some = nodes.filter((_, at) => at % 8 === 0);
    const capacity = capacityMilliOf(some);
    const order = inflationOrder(
      pods.filter((_, at) => at % 8 === 0),
      capacity,
      42,
    );
    const [live, tight] = [true, false].map((learns) => runInflation(order, capacity, placeLive(some, { learns })).unallocatedPercent);
    expect(live).toBeLessThan(6);
    expect(tight).toBeGreaterThan(9);
  }, 60_000);

  it("leaves fewer GPUs unallocated with Shoal's choice than with FGD, which does as published", () => {
    const fgd = unallocated('fgd', 42);
    expect(Math.abs(fgd - 4.61)).toBeLessThan(0.3);
    expect(unallocated('shoal', 42)).toBeLessThan(4);
  }, 60_000);
});
