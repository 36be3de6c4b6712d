import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { nodeName } from '#vocabulary/ids.ts';
import type { MeshAxis } from '#vocabulary/job.ts';
import { Capacity } from '../capacity/capacity.ts';
import type { Spot } from '../gang/gangRequest.ts';
import { range } from '../testing/smallCluster.ts';
import { groundOf } from './ground.ts';
import type { LinkSpeeds } from './linkSpeeds.ts';
import { predictCost } from './predictCost.ts';
import { anySmallGang } from './testing/anyMesh.ts';
import type { AxisTraffic } from './traffic.ts';
import { trafficOf } from './traffic.ts';

/** Bytes a second, so that the seconds of a byte can be read off. */
const speeds: LinkSpeeds = {
  nvlink: 100,
  node: 50,
  nodeName: 'node',
  out: [
    { name: 'cluster', bytes: 1, rail: null },
    { name: 'zone', bytes: 2, rail: null },
    { name: 'rack', bytes: 5, rail: 10 },
  ],
};

/** Nodes of four GPUs, by zone and rack; `links`: NVLink domains of the GPUs. */
function clusterOf(nodes: readonly (readonly [zone: string, rack: string])[], links: readonly (number | null)[] = [0, 0, 0, 0]): Capacity {
  return Capacity.of(
    nodes.map(([zone, rack], index) => ({
      name: nodeName(`n${index}`),
      path: [zone, rack],
      open: true,
      cpuMilli: null,
      memoryBytes: null,
      labels: {},
      gpus: links.map((nvlinkDomain, gpu) => ({ index: gpu, model: 'H100', nvlinkDomain, healthy: true })),
    })),
    3,
  );
}

const axis = (name: MeshAxis, size: number, bytes: number): AxisTraffic =>
  trafficOf([{ axis: name, size }], { [name]: bytes })[0] ?? { axis: name, size, bytes, collective: 'ring' };

function costsOf(capacity: Capacity, spots: readonly Spot[], axes: readonly AxisTraffic[]): readonly string[] {
  const ground = groundOf(capacity, spots, speeds);
  const { axes: costs } = predictCost(ground, axes, Int32Array.from(spots.keys()));
  return costs.map(({ axis: name, seconds, bound }) => `${name} ${seconds} ${bound}`);
}

const whole = (...nodes: readonly number[]): readonly Spot[] => nodes.map((node) => ({ node, gpus: [0, 1, 2, 3] }));
const oneRack = clusterOf([
  ['z1', 'r1'],
  ['z1', 'r1'],
]);
const twoZones = clusterOf([
  ['z1', 'r1'],
  ['z1', 'r2'],
  ['z2', 'r3'],
  ['z2', 'r4'],
]);

describe('seconds of one axis', () => {
  test('of a group inside an NVLink domain are those of its ports', () => {
    // 2 x 3/4 of 200 bytes at 100 bytes a second.
    expect(costsOf(oneRack, whole(0), [axis('tensor', 4, 200)])).toEqual(['tensor 3 nvlink']);
  });

  test('of an all-reduce over two nodes: its ring leaves each once, over the cards of all four GPUs', () => {
    // 2 x 7/8 x 80 bytes over 4 GPUs x 10; the ports take 1.4 s.
    expect(costsOf(oneRack, whole(0, 1), [axis('tensor', 8, 80)])).toEqual(['tensor 3.5 rail']);
  });

  test('of all-to-all: what the members inside send to those outside', () => {
    // 4 x 4 / 8 x 80 bytes over 4 x 10.
    expect(costsOf(oneRack, whole(0, 1), [axis('expert', 8, 80)])).toEqual(['expert 4 rail']);
  });

  test('of groups that lie across nodes: all of them share the cards', () => {
    // Four groups of two: each 2 x 1/2 x 80 bytes, over 4 x 10. The two tensor groups stay inside.
    expect(costsOf(oneRack, whole(0, 1), [axis('data', 2, 80), axis('tensor', 4, 200)])).toEqual(['data 8 rail', 'tensor 3 nvlink']);
  });

  test('of a pipeline are bound by its one step from zone to zone', () => {
    // The inner racks have two neighbours: 8 x 80 bytes over 4 GPUs x 2. Between the zones 4 x 80 over 8 x 1 are less.
    expect(costsOf(twoZones, whole(0, 1, 2, 3), [axis('pipeline', 4, 80), axis('tensor', 4, 1)])[0]).toBe('pipeline 80 zone');
    // In the order 0 2 1 3 it crosses three times.
    expect(costsOf(twoZones, whole(0, 2, 1, 3), [axis('pipeline', 4, 80), axis('tensor', 4, 1)])[0]).toBe('pipeline 120 cluster');
  });

  test('across GPU indices are slower than along a rail', () => {
    const left = { node: 0, gpus: [0, 1] };
    const ring = [axis('data', 4, 80)];
    expect(costsOf(oneRack, [left, { node: 1, gpus: [0, 1] }], ring)).toEqual(['data 6 rail']);
    expect(costsOf(oneRack, [left, { node: 1, gpus: [2, 3] }], ring)).toEqual(['data 12 rack']);
  });

  test('between NVLink domains of a node go by its own links, also when a worker has GPUs of two', () => {
    const pairs = clusterOf([['z1', 'r1']], [0, 0, 1, 1]);
    const halves: readonly Spot[] = [
      { node: 0, gpus: [0, 1] },
      { node: 0, gpus: [2, 3] },
    ];
    // 2 x 3/4 x 400 over 2 GPUs x 50; the ports take as long.
    expect(costsOf(pairs, halves, [axis('tensor', 4, 400)])).toEqual(['tensor 6 nvlink']);
    expect(costsOf(pairs, whole(0), [axis('expert', 4, 400)])).toEqual(['expert 4 node']);
    expect(costsOf(clusterOf([['z1', 'r1']], [null, null, null, null]), whole(0), [axis('expert', 4, 400)])).toEqual(['expert 6 node']);
  });

  test('of size one are none', () => {
    expect(costsOf(oneRack, whole(0, 1), [axis('pipeline', 1, 80), axis('expert', 8, 80)])).toEqual(['expert 4 rail']);
  });
});

/** The model once more, GPU by GPU and group by group, as its comment has it. */
function secondsByHand(spots: readonly Spot[], axes: readonly AxisTraffic[]): readonly number[] {
  const gpus = spots.flatMap(({ node, gpus: indices }) => indices.map((gpu) => ({ node, gpu })));
  const zones = ['z1 r1', 'z1 r2', 'z2 r3', 'z2 r4'];
  const domainsOf = ({ node }: { readonly node: number }): readonly string[] => {
    const rack = zones[Math.floor(node / 2)] ?? '';
    return [rack.slice(0, 2), rack, `n${node}`];
  };
  const speedAt = [1, 2, 10];
  return axes.map(({ size, bytes, collective }, at) => {
    const stride = axes.slice(at + 1).reduce((product, each) => product * each.size, 1);
    const factor = { 'all-reduce': (2 * (size - 1)) / size, 'all-to-all': (size - 1) / size, ring: 1, 'point-to-point': size > 2 ? 2 : 1 };
    let worst = (factor[collective] * bytes) / 100;
    for (const depth of range(3)) {
      const sent = new Map<string, number>();
      const add = (domain: string, amount: number): void => void sent.set(domain, (sent.get(domain) ?? 0) + amount);
      for (const first of range(gpus.length).filter((gpu) => Math.floor(gpu / stride) % size === 0)) {
        const members = range(size).map((n) => domainsOf(gpus[first + n * stride] ?? { node: 0 })[depth] ?? '');
        for (const domain of new Set(members)) {
          const inside = members.filter((member) => member === domain).length;
          if (inside === size) continue;
          if (collective === 'all-reduce') add(domain, factor[collective] * bytes);
          if (collective === 'all-to-all') add(domain, (inside * (size - inside) * bytes) / size);
        }
        if (collective !== 'point-to-point' && collective !== 'ring') continue;
        const isRound = collective === 'ring' && size > 2;
        for (const n of range(isRound ? size : size - 1)) {
          const [here = '', there = ''] = [members[n], members[(n + 1) % size]];
          if (here === there) continue;
          add(here, bytes);
          if (!isRound) add(there, bytes);
        }
      }
      for (const [domain, amount] of sent) {
        const inside = gpus.filter((gpu) => domainsOf(gpu)[depth] === domain).length;
        worst = Math.max(worst, amount / inside / (speedAt[depth] ?? 1));
      }
    }
    return worst;
  });
}

test('counting by workers is counting by GPUs', () => {
  const capacity = clusterOf(
    range(8)
      .map((node) => (['z1 r1', 'z1 r2', 'z2 r3', 'z2 r4'][Math.floor(node / 2)] ?? '').split(' '))
      .map(([zone = '', rack = '']) => [zone, rack] as const),
  );
  fc.assert(
    fc.property(anySmallGang(8), fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), (gang, picks) => {
      // Whole nodes as far as they go, so that all are on one rail; workers of less than a node share one.
      const perNode = Math.floor(4 / gang.gpusPerWorker);
      const order = [...picks.entries()].sort(([, left], [, right]) => left - right).map(([node]) => node);
      const spots = range(gang.workers).map((worker) => ({
        node: order[perNode === 1 ? worker : Math.floor(worker / perNode) % 8] ?? 0,
        gpus: range(gang.gpusPerWorker).map((gpu) => (worker % perNode) * gang.gpusPerWorker + gpu),
      }));
      fc.pre(perNode === 1 || perNode === 4 || gang.gpusPerWorker === 2);
      const axes = trafficOf(gang.mesh, gang.traffic).filter(({ size }) => size > 1);
      const rails = { ...speeds, out: speeds.out.map((out) => ({ ...out, bytes: out.rail ?? out.bytes })) };
      const { axes: costs } = predictCost(groundOf(capacity, spots, rails), axes, Int32Array.from(spots.keys()));
      const want = secondsByHand(spots, axes);
      expect(costs.length).toBe(want.length);
      for (const [at, { seconds }] of costs.entries()) expect(seconds / (want[at] ?? 1)).toBeCloseTo(1, 9);
    }),
    { numRuns: cases(300) },
  );
});
