import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { anyRequest, anySegmentedRequest } from '../testing/anyGang.ts';
import { domainsOf, faultsOf, searchPlacements } from '../testing/searchPlacements.ts';
import type { Place, SmallCluster, SmallNode } from '../testing/smallCluster.ts';
import {
  anyOpenCluster,
  anySmallCluster,
  buildSmallCluster,
  freeNode,
  holdOf,
  model,
  nodeDepth,
  pictureOf,
  rackDepth,
  range,
} from '../testing/smallCluster.ts';
import type { GangRequest, Spot } from './gangRequest.ts';
import { anywhere } from './gangRequest.ts';
import type { OldSpot, Swap } from './swapWorkers.ts';
import { swapWorkers } from './swapWorkers.ts';

const oneWorker = { workers: 1, shape: wholeGpus(model, 1), segments: [] };

/** Somebody else holds what the broken workers had: nobody comes back there. */
function lose({ room, places }: SmallCluster, lost: readonly Spot[]): SmallCluster {
  for (const { node, gpus } of lost) room.capacity.take(holdOf('fault', node, gpus));
  const gone = (node: number): number => lost.filter((spot) => spot.node === node).reduce((sum, spot) => sum + spot.gpus.length, 0);
  return { room, places: places.map((place, node) => ({ ...place, freeGpus: place.freeGpus - gone(node) })) };
}

interface Best {
  readonly moved: number;
  readonly depth: number;
}

/** Of all ways to place the gang: the fewest sound workers that change their node, and of those ways the deepest domain; null: there is no way. */
function bestOf(places: readonly Place[], request: GangRequest, old: readonly (OldSpot | null)[]): Best | null {
  let best: Best | null = null;
  searchPlacements(places, request, (nodes) => {
    const moved = movedTo(old, nodes);
    const depth = commonDepth(places, nodes);
    // A place anew that keeps nobody is no swap.
    const isSwap = moved < old.filter((one) => one?.isSound === true).length;
    if (isSwap && (best === null || moved < best.moved || (moved === best.moved && depth > best.depth))) best = { moved, depth };
    return false;
  });
  return best;
}

const movedTo = (old: readonly (OldSpot | null)[], nodes: readonly number[]): number =>
  old.filter((one, worker) => one?.isSound === true && one.spot.node !== nodes[worker]).length;

const commonDepth = (places: readonly Place[], nodes: readonly number[]): number =>
  [...range(nodeDepth + 1)].reverse().find((depth) => domainsOf(places, nodes, depth) === 1) ?? 0;

/** A gang that stands somewhere, and then some of its workers break, each with its GPUs. */
function breakDown(nodes: readonly SmallNode[], request: GangRequest, skip: number, brokenBits: number) {
  const whole = buildSmallCluster(nodes);
  const placed = anyPlacementOf(whole, request, skip);
  const old = placed.map((spot, worker): OldSpot => ({ spot, isSound: ((brokenBits >> worker) & 1) === 0 }));
  const cluster = lose(
    whole,
    old.flatMap(({ spot, isSound }) => (isSound ? [] : [spot])),
  );
  // Where a gang wants its domain for itself, whoever took the broken workers' GPUs makes the others unsound, too.
  const places = cluster.places.map((place, node) => ({ ...place, isHeld: cluster.room.capacity.holdsOf(node).length > 0 }));
  const depth = request.exclusiveDepth;
  const taken = new Set(depth === null ? [] : places.flatMap((place) => (place.isHeld ? [place.domains[depth]] : [])));
  const isShared = ({ node }: Spot): boolean => depth !== null && taken.has(places[node]?.domains[depth]);
  return { cluster: { ...cluster, places }, old: old.map((one) => ({ ...one, isSound: one.isSound && !isShared(one.spot) })) };
}

/** What a swap must be whatever it chose: everybody else where he was, all rules kept, nothing changed. */
function expectSound(cluster: SmallCluster, request: GangRequest, old: readonly (OldSpot | null)[], swap: Swap): void {
  const nodes = swap.spots.map(({ node }) => node);
  expect(faultsOf(cluster, request, [swap.spots])).toEqual([]);
  expect(swap).toMatchObject({ moved: movedTo(old, nodes), depth: commonDepth(cluster.places, nodes) });
  for (const [worker, one] of old.entries())
    if (one?.isSound === true && one.spot.node === nodes[worker]) expect(swap.spots[worker]).toEqual(one.spot);
}

/** Nested segments have a test of their own. */
const anyRequestOfOneLevel = anyRequest.map((request) => ({
  ...request,
  groups: request.groups.map((group) => ({ ...group, segments: group.segments.slice(0, 1) })),
}));
const anyFault = [fc.nat(20), fc.nat(63)] as const;

describe('a swap', () => {
  test.each([
    ['any wish', anySmallCluster, anyRequestOfOneLevel, 0],
    ['segments', anyOpenCluster, anySegmentedRequest(1), 5],
  ] as const)(
    'moves the fewest sound workers of all ways to go on, and of those ways stays nearest, or there is none: %s',
    (_, anyCluster, anyGang, partlyLeast) => {
      const seen = { kept: 0, partly: 0, none: 0 };
      fc.assert(
        fc.property(anyCluster, anyGang, ...anyFault, (nodes, request, skip, brokenBits) => {
          const { cluster, old } = breakDown(nodes, request, skip, brokenBits);
          if (!old.some(({ isSound }) => isSound)) return;
          const before = pictureOf(cluster.room.capacity);
          const swap = swapWorkers(cluster.room, request, old);
          expect(pictureOf(cluster.room.capacity)).toEqual(before);
          const best = bestOf(cluster.places, request, old);
          const keepsSome = swap !== null && swap.moved < old.filter(({ isSound }) => isSound).length;
          expect(keepsSome ? { moved: swap.moved, depth: swap.depth } : null).toEqual(best);
          if (swap !== null) expectSound(cluster, request, old, swap);
          seen[best === null ? 'none' : best.moved > 0 ? 'partly' : 'kept'] += 1;
        }),
        { numRuns: cases(600) },
      );
      expect(seen.kept).toBeGreaterThan(8);
      expect(seen.none).toBeGreaterThan(3);
      expect(seen.partly).toBeGreaterThanOrEqual(partlyLeast);
    },
  );

  test('with nested segments there is one exactly when there is a way, and it moves at most one sound worker in fifty too many', () => {
    const total = { moved: 0, best: 0, sound: 0 };
    fc.assert(
      fc.property(anyOpenCluster, anySegmentedRequest(2), ...anyFault, (nodes, request, skip, brokenBits) => {
        const { cluster, old } = breakDown(nodes, request, skip, brokenBits);
        const sound = old.filter(({ isSound }) => isSound).length;
        if (sound === 0) return;
        const swap = swapWorkers(cluster.room, request, old);
        const best = bestOf(cluster.places, request, old);
        if (swap !== null) expectSound(cluster, request, old, swap);
        expect(swap !== null && swap.moved < sound).toBe(best !== null);
        total.moved += swap?.moved ?? 0;
        total.best += swap === null ? 0 : (best?.moved ?? sound);
        total.sound += sound;
      }),
      { numRuns: cases(600) },
    );
    expect(total.best).toBeGreaterThan(0);
    expect(total.moved - total.best).toBeLessThanOrEqual(total.sound / 50);
  });

  test('a segment that lost one worker is mended before a segment that is lost whole takes its room', () => {
    const whole = buildSmallCluster([freeNode(0, 4), freeNode(1, 4), freeNode(2, 4)]);
    const request = anywhere([{ workers: 4, shape: wholeGpus(model, 1), segments: [{ depth: rackDepth, workers: 2 }] }]);
    const spots: readonly Spot[] = [0, 0, 1, 1].map((node, worker) => ({ node, gpus: [worker % 2] }));
    const cluster = lose(whole, [...spots.slice(0, 3), { node: 0, gpus: [2, 3] }]);
    const old = spots.map((spot, worker) => ({ spot, isSound: worker === 3 }));
    expect(swapWorkers(cluster.room, request, old)?.spots.map((spot) => spot.node)).toEqual([2, 2, 1, 1]);
  });

  test('a segment whose rack has no room moves whole to another rack, and the other segments stay', () => {
    const { room } = buildSmallCluster([...[0, 0, 1, 1].map((rack) => freeNode(rack, 1)), freeNode(2, 1), freeNode(2, 1)]);
    const request = anywhere([{ workers: 4, shape: wholeGpus(model, 1), segments: [{ depth: rackDepth, workers: 2 }] }]);
    room.capacity.take(holdOf('fault', 1, [0]));
    const old = [0, 1, 2, 3].map((node) => ({ spot: { node, gpus: [0] }, isSound: node !== 1 }));
    const swap = swapWorkers(room, request, old);
    expect(swap).toMatchObject({ moved: 1 });
    expect(swap?.spots.map((spot) => spot.node)).toEqual([4, 5, 2, 3]);
  });

  test('a replacement stands by preference in the rack of the worker that it replaces, then in one where others of the gang are', () => {
    const racks = [0, 0, 0, 1, 1, 1, 2];
    const request = anywhere([{ workers: 4, shape: wholeGpus(model, 1), segments: [] }]);
    const old = [0, 1, 3, 4].map((node) => ({ spot: { node, gpus: [0] }, isSound: node !== 4 }));
    const swapWithout = (taken: readonly number[]) => {
      const { room } = buildSmallCluster(racks.map((rack) => freeNode(rack, 1)));
      for (const node of [4, ...taken]) room.capacity.take(holdOf('other', node, [0]));
      return swapWorkers(room, request, old)?.spots.map((spot) => spot.node);
    };
    expect(swapWithout([])).toEqual([0, 1, 3, 5]);
    expect(swapWithout([5])).toEqual([0, 1, 3, 2]);
    expect(swapWithout([2, 5])).toEqual([0, 1, 3, 6]);
  });

  test('two parts of one GPU that are each free, and not both, are not both kept', () => {
    const { room } = buildSmallCluster([freeNode(0, 2), freeNode(0, 2)]);
    const shape = { ...wholeGpus(model, 1), gpuMilli: 400 };
    room.capacity.take({ ...holdOf('other', 0, [0]), gpuMilli: 500 });
    const spots: readonly Spot[] = [0, 0, 1].map((node) => ({ node, gpus: [0] }));
    const swap = swapWorkers(
      room,
      anywhere([{ workers: 3, shape, segments: [] }]),
      spots.map((spot) => ({ spot, isSound: spot.node === 0 })),
    );
    expect(swap?.spots.slice(0, 2)).toEqual([
      { node: 0, gpus: [0] },
      { node: 0, gpus: [1] },
    ]);
  });

  test('nobody sound, or several groups: there is none', () => {
    const { room } = buildSmallCluster([freeNode(0, 4)]);
    const spot = { node: 0, gpus: [0] };
    expect(swapWorkers(room, anywhere([oneWorker]), [{ spot, isSound: true }])).toEqual({ spots: [spot], moved: 0, depth: nodeDepth });
    expect(swapWorkers(room, anywhere([oneWorker]), [{ spot, isSound: false }])).toBeNull();
    expect(swapWorkers(room, anywhere([oneWorker]), [null])).toBeNull();
    expect(swapWorkers(room, anywhere([oneWorker, oneWorker]), [{ spot, isSound: true }])).toBeNull();
  });
});

/** One of the ways to place the gang, not always the one that the engine likes; empty when there is none. */
function anyPlacementOf({ room, places }: SmallCluster, request: GangRequest, skip: number): readonly Spot[] {
  let left = skip;
  let chosen: readonly number[] = [];
  searchPlacements(places, request, (nodes) => {
    chosen = [...nodes];
    left -= 1;
    return left < 0;
  });
  const gpus = request.groups[0]?.shape.gpus ?? 0;
  return chosen.map((node, worker) => {
    const before = chosen.slice(0, worker).filter((other) => other === node).length * gpus;
    const free = range(room.capacity.gpusOf(node)).filter((gpu) => room.capacity.freeMilli(node, gpu) === 1_000);
    return { node, gpus: free.slice(before, before + gpus) };
  });
}
