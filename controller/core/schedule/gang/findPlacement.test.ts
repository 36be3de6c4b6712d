import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { anyGroup, anyRequest, anySpread } from '../testing/anyGang.ts';
import { canPlace, domainsOf, faultsOf, fewestDomains, searchPlacements } from '../testing/searchPlacements.ts';
import {
  anySmallCluster,
  buildSmallCluster,
  freeNode,
  model,
  nodeDepth,
  pictureOf,
  rackDepth,
  range,
  zoneDepth,
} from '../testing/smallCluster.ts';
import { findPlacement, fits } from './findPlacement.ts';
import { anywhere } from './gangRequest.ts';

const plain = (workers: number, gpus = 1) => ({ workers, shape: wholeGpus(model, gpus), segments: [] });

describe('a gang of one group', () => {
  test('finds a place exactly when a search of all placements does, and the place keeps every rule', () => {
    fc.assert(
      fc.property(anySmallCluster, anyRequest, (nodes, request) => {
        const cluster = buildSmallCluster(nodes);
        const spots = findPlacement(cluster.room, request);
        expect(spots !== null).toBe(canPlace(cluster.places, request));
        expect(fits(cluster.room, request)).toBe(spots !== null);
        if (spots !== null) expect(faultsOf(cluster, request, spots)).toEqual([]);
      }),
      { numRuns: cases(400) },
    );
  });

  test('touches as few zones as any placement does, and as few racks as its zones allow', () => {
    fc.assert(
      fc.property(anySmallCluster, anyGroup, fc.constantFrom('tight' as const, 'even' as const), (nodes, group, packing) => {
        const { room, places } = buildSmallCluster(nodes);
        const request = { ...anywhere([group]), packing };
        const used = findPlacement(room, request)?.[0]?.map((spot) => spot.node);
        if (used === undefined) return;
        expect(domainsOf(places, used, zoneDepth)).toBe(fewestDomains(places, request, zoneDepth));
        if (domainsOf(places, used, zoneDepth) > 1) return;
        const inZone = places.map((place) =>
          place.domains[zoneDepth] === places[used[0] ?? 0]?.domains[zoneDepth] ? place : { ...place, freeGpus: 0 },
        );
        expect(domainsOf(places, used, rackDepth)).toBe(fewestDomains(inZone, request, rackDepth));
        if (domainsOf(places, used, rackDepth) > 1) return;
        const inRack = places.map((place) =>
          place.domains[rackDepth] === places[used[0] ?? 0]?.domains[rackDepth] ? place : { ...place, freeGpus: 0 },
        );
        expect(domainsOf(places, used, nodeDepth)).toBe(fewestDomains(inRack, request, nodeDepth));
      }),
      { numRuns: cases(200) },
    );
  });

  test('is inside one domain of a level whenever one of them holds it', () => {
    fc.assert(
      fc.property(anySmallCluster, anyRequest, (nodes, request) => {
        const { room, places } = buildSmallCluster(nodes);
        const used = findPlacement(room, request)?.[0]?.map((spot) => spot.node);
        if (used === undefined) return;
        for (const depth of [zoneDepth, rackDepth, nodeDepth].filter((each) => each > request.requiredDepth)) {
          expect(domainsOf(places, used, depth) === 1).toBe(canPlace(places, { ...request, requiredDepth: depth }));
        }
      }),
      { numRuns: cases(200) },
    );
  });

  test('takes the domain with the least room of those that hold it, the first of equals', () => {
    const { room } = buildSmallCluster([freeNode(0, 4), freeNode(0, 3), freeNode(1, 2), freeNode(1, 3), freeNode(2, 3), freeNode(2, 2)]);
    expect(findPlacement(room, anywhere([plain(3)]))?.[0]?.map((spot) => spot.node)).toEqual([1, 1, 1]);
    expect(findPlacement(room, anywhere([plain(5)]))?.[0]?.map((spot) => spot.node)).toEqual([3, 3, 3, 2, 2]);
  });
});

describe('even packing', () => {
  /** Smallest first, so that the fairest of two divisions is the one that is larger at the first difference. */
  const isFairer = (left: readonly number[], right: readonly number[]): boolean => {
    const [a, b] = [left.toSorted((x, y) => x - y), right.toSorted((x, y) => x - y)];
    const at = a.findIndex((count, index) => count !== b[index]);
    return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
  };
  const countsOf = (used: readonly number[], nodes: readonly number[]): readonly number[] =>
    nodes.map((node) => used.filter((each) => each === node).length);

  test('is max-min over the nodes that it stands on: nobody has more while another could have had it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 6 }), (sizes, workers) => {
        const { room, places } = buildSmallCluster(sizes.map((gpus) => freeNode(0, gpus)));
        const request = { ...anywhere([plain(workers)]), packing: 'even' as const };
        const used = findPlacement(room, request)?.[0]?.map((spot) => spot.node);
        if (used === undefined) return;
        const chosen = range(places.length).filter((node) => used.includes(node));
        const fairer = searchPlacements(places, request, (nodes) => {
          return nodes.every((node) => chosen.includes(node)) && isFairer(countsOf(nodes, chosen), countsOf(used, chosen));
        });
        expect(fairer).toBe(false);
      }),
      { numRuns: cases(200) },
    );
  });

  test('balances whole segments over racks', () => {
    const { room } = buildSmallCluster([freeNode(0, 4), freeNode(0, 4), freeNode(1, 4)]);
    const segments = [{ depth: rackDepth, workers: 2 }];
    const request = { ...anywhere([{ ...plain(12), segments }]), packing: 'even' as const };
    expect(countsOf(findPlacement(room, request)?.[0]?.map((spot) => spot.node) ?? [], [0, 1, 2])).toEqual([4, 4, 4]);
    const fewer = { ...anywhere([{ ...plain(10), segments }]), packing: 'even' as const };
    expect(countsOf(findPlacement(room, fewer)?.[0]?.map((spot) => spot.node) ?? [], [0, 1, 2])).toEqual([3, 3, 4]);
  });
});

describe('a gang of several groups', () => {
  test('keeps every rule, fits as it says, and leaves the capacity as it was', () => {
    fc.assert(
      fc.property(
        anySmallCluster,
        fc.array(anyGroup, { minLength: 2, maxLength: 3 }),
        fc.nat(rackDepth),
        anySpread,
        (nodes, groups, requiredDepth, spread) => {
          const cluster = buildSmallCluster(nodes);
          const before = pictureOf(cluster.room.capacity);
          const request = { ...anywhere(groups, requiredDepth), spread };
          const spots = findPlacement(cluster.room, request);
          expect(pictureOf(cluster.room.capacity)).toEqual(before);
          expect(fits(cluster.room, request)).toBe(spots !== null);
          if (spots !== null) expect(faultsOf(cluster, request, spots)).toEqual([]);
        },
      ),
      { numRuns: cases(200) },
    );
  });

  test('shares one spread: what the first group took of a rack the second one lacks', () => {
    const { room } = buildSmallCluster([freeNode(0, 4), freeNode(1, 2)]);
    const request = { ...anywhere([plain(2), plain(1), plain(1)]), spread: { depth: rackDepth, max: 2 } };
    expect(findPlacement(room, request)?.map((group) => group.map((spot) => spot.node))).toEqual([[0, 0], [1], [1]]);
    expect(findPlacement(room, { ...request, groups: [plain(2), plain(2), plain(1)] })).toBeNull();
  });
});
