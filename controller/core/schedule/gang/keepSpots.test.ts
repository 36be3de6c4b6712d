import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { anyGroup } from '../testing/anyGang.ts';
import { domainsOf, faultsOf, searchPlacements } from '../testing/searchPlacements.ts';
import type { Place, SmallCluster } from '../testing/smallCluster.ts';
import {
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
import { placeAround } from './keepSpots.ts';

/** Somebody else holds what the broken workers had: nobody comes back there. */
function lose({ room, places }: SmallCluster, lost: readonly Spot[]): SmallCluster {
  for (const { node, gpus } of lost) room.capacity.take(holdOf('fault', node, gpus));
  const gone = (node: number): number => lost.filter((spot) => spot.node === node).reduce((sum, spot) => sum + spot.gpus.length, 0);
  return { room, places: places.map((place, node) => ({ ...place, freeGpus: place.freeGpus - gone(node) })) };
}

/** Depth of the deepest domain that any way to complete the gang stays inside; -1: there is no way. */
function deepestCompletion(places: readonly Place[], request: GangRequest, kept: readonly (Spot | null)[]): number {
  let deepest = -1;
  searchPlacements(places, request, (nodes) => {
    if (kept.every((spot, worker) => spot === null || spot.node === nodes[worker])) deepest = Math.max(deepest, commonDepth(places, nodes));
    return deepest === nodeDepth;
  });
  return deepest;
}

const commonDepth = (places: readonly Place[], nodes: readonly number[]): number =>
  [...range(nodeDepth + 1)].reverse().find((depth) => domainsOf(places, nodes, depth) === 1) ?? 0;

describe('after a fault', () => {
  test('the sound workers keep their places and the others stay as near as any completion does, or there is none', () => {
    fc.assert(
      fc.property(anySmallCluster, anyGroup, fc.nat(nodeDepth), fc.nat(20), fc.nat(63), (nodes, group, requiredDepth, skip, brokenBits) => {
        const whole = buildSmallCluster(nodes);
        const request = anywhere([group], requiredDepth);
        const placed = anyPlacementOf(whole, request, skip);
        const kept = placed.map((spot, worker) => ((brokenBits >> worker) & 1 ? null : spot));
        if (kept.every((spot) => spot === null)) return;
        const cluster = lose(
          whole,
          placed.filter((_, worker) => kept[worker] === null),
        );
        const before = pictureOf(cluster.room.capacity);
        const spots = placeAround(cluster.room, request, kept);
        expect(pictureOf(cluster.room.capacity)).toEqual(before);
        expect(
          spots === null
            ? -1
            : commonDepth(
                cluster.places,
                spots.map((spot) => spot.node),
              ),
        ).toBe(deepestCompletion(cluster.places, request, kept));
        if (spots === null) return;
        expect(spots.map((spot, worker) => (kept[worker] === null ? null : spot))).toEqual(kept);
        expect(faultsOf(cluster, request, [spots])).toEqual([]);
      }),
      { numRuns: cases(300) },
    );
  });

  test('a segment that lost one worker is mended before a segment that is lost whole takes its room', () => {
    const whole = buildSmallCluster([freeNode(0, 4), freeNode(1, 4), freeNode(2, 4)]);
    const request = anywhere([{ workers: 4, shape: wholeGpus(model, 1), segments: [{ depth: rackDepth, workers: 2 }] }]);
    const spots: readonly Spot[] = [0, 0, 1, 1].map((node, worker) => ({ node, gpus: [worker % 2] }));
    const cluster = lose(whole, [...spots.slice(0, 3), { node: 0, gpus: [2, 3] }]);
    const mended = placeAround(cluster.room, request, [null, null, null, spots[3] ?? null]);
    expect(mended?.map((spot) => spot.node)).toEqual([2, 2, 1, 1]);
  });

  test('nobody sound, a spread or several groups: the gang is placed anew', () => {
    const { room } = buildSmallCluster([freeNode(0, 4)]);
    const group = { workers: 1, shape: wholeGpus(model, 1), segments: [] };
    const kept = [{ node: 0, gpus: [0] }];
    expect(placeAround(room, anywhere([group]), kept)).toEqual(kept);
    expect(placeAround(room, anywhere([group]), [null])).toBeNull();
    expect(placeAround(room, anywhere([group, group]), kept)).toBeNull();
    expect(placeAround(room, { ...anywhere([group]), spread: { depth: rackDepth, max: 1 } }, kept)).toBeNull();
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
