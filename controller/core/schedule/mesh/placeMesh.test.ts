import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { totalMicros } from '#vocabulary/meshRecord.ts';
import type { Room } from '../capacity/room.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { findPlacement } from '../gang/findPlacement.ts';
import type { GangRequest, Spot } from '../gang/gangRequest.ts';
import { anywhere } from '../gang/gangRequest.ts';
import { anyRequest } from '../testing/anyGang.ts';
import { faultsOf } from '../testing/searchPlacements.ts';
import type { SmallNode } from '../testing/smallCluster.ts';
import { anySmallCluster, buildSmallCluster, freeNode, model, rackDepth, range } from '../testing/smallCluster.ts';
import { groundOf } from './ground.ts';
import { linkSpeedsOf } from './linkSpeeds.ts';
import type { MeshChoice, MeshWish } from './placeMesh.ts';
import { judgeMesh, orderMesh, placeMesh } from './placeMesh.ts';
import { predictCost } from './predictCost.ts';
import type { SmallGang } from './testing/anyMesh.ts';
import { anySmallGang, permutations } from './testing/anyMesh.ts';
import type { AxisTraffic } from './traffic.ts';
import { trafficOf } from './traffic.ts';

const speeds = linkSpeedsOf(['zone', 'rack', 'node'], {}, model);

const anyFreeCluster: fc.Arbitrary<readonly SmallNode[]> = fc.array(
  fc.record({ zone: fc.nat(1), rack: fc.nat(2), gpus: fc.integer({ min: 1, max: 4 }), held: fc.constant(0), open: fc.constant(true) }),
  { minLength: 2, maxLength: 7 },
);

const wishOf = ({ mesh, traffic }: Pick<SmallGang, 'mesh' | 'traffic'>): MeshWish => ({
  axes: trafficOf(mesh, traffic),
  isOrderFixed: Object.keys(traffic).length === 0,
  segments: [],
  speeds,
});

const requestOf = ({ workers, gpusPerWorker }: SmallGang): GangRequest =>
  anywhere([{ workers, shape: wholeGpus(model, gpusPerWorker), segments: [] }]);

function place(room: Room, gang: SmallGang): MeshChoice | null {
  const packed = findPlacement(room, requestOf(gang))?.[0];
  return packed === undefined ? null : placeMesh(room, wishOf(gang), requestOf(gang), packed);
}

/** The least seconds of any order of the workers on these places. */
function leastOfOrders(room: Room, spots: readonly Spot[], axes: readonly AxisTraffic[]): number {
  const ground = groundOf(room.capacity, spots, speeds);
  let least = Number.POSITIVE_INFINITY;
  for (const order of permutations(spots.length)) least = Math.min(least, predictCost(ground, axes, order).seconds);
  return least;
}

/** Orders of the axes that a choice may take: the customary one alone where the user says nothing of bytes. */
function* axisOrders({ axes, isOrderFixed }: MeshWish): Generator<readonly AxisTraffic[]> {
  if (isOrderFixed) yield axes;
  else for (const order of permutations(axes.length)) yield Array.from(order, (at) => axes[at]).flatMap((axis) => axis ?? []);
}

/** All ways to choose places for so many workers. */
function* choices(places: readonly Spot[], count: number, from = 0): Generator<readonly Spot[]> {
  if (count === 0) yield [];
  for (let at = from; at <= places.length - count; at += 1) {
    const place = places[at];
    if (place !== undefined) for (const rest of choices(places, count - 1, at + 1)) yield [place, ...rest];
  }
}

function allPlaces({ capacity }: Room, gpusPerWorker: number): readonly Spot[] {
  return range(capacity.nodes).flatMap((node) =>
    range(Math.floor(capacity.gpusOf(node) / gpusPerWorker)).map((at) => ({
      node,
      gpus: range(gpusPerWorker).map((gpu) => at * gpusPerWorker + gpu),
    })),
  );
}

/** Micros are rounded. */
const within = (least: number): number => 1.05 * least * 1e6 + 5;

test('no order of the workers on the chosen places is more than 5 % better', () => {
  fc.assert(
    fc.property(anyFreeCluster, anySmallGang(7), (nodes, gang) => {
      const { room } = buildSmallCluster(nodes);
      const choice = place(room, gang);
      fc.pre(choice !== null);
      const axes = choice.record.order.flatMap((axis) => wishOf(gang).axes.find((each) => each.axis === axis) ?? []);
      expect(totalMicros(choice.record)).toBeLessThanOrEqual(within(leastOfOrders(room, choice.spots, axes)));
    }),
    { numRuns: cases(40) },
  );
});

test('no choice of places, order of the workers and order of the axes is more than 5 % better', () => {
  fc.assert(
    fc.property(anyFreeCluster, anySmallGang(5), (nodes, gang) => {
      const { room } = buildSmallCluster(nodes);
      const choice = place(room, gang);
      const places = allPlaces(room, gang.gpusPerWorker);
      fc.pre(choice !== null && places.length <= 9);
      let least = Number.POSITIVE_INFINITY;
      for (const axes of axisOrders(wishOf(gang)))
        for (const spots of choices(places, gang.workers)) least = Math.min(least, leastOfOrders(room, spots, axes));
      expect(totalMicros(choice.record)).toBeLessThanOrEqual(within(least));
    }),
    { numRuns: cases(60) },
  );
});

test('whatever a gang asks for, its mesh keeps every rule of the request, and has a place when the gang has one', () => {
  fc.assert(
    fc.property(
      anySmallCluster,
      anyRequest,
      fc.constantFrom('data' as const, 'expert' as const, 'pipeline' as const),
      (nodes, request, axis) => {
        const cluster = buildSmallCluster(nodes);
        const packed = findPlacement(cluster.room, request)?.[0];
        const [group] = request.groups;
        fc.pre(packed !== undefined && group !== undefined);
        const mesh = [{ axis, size: group.workers * group.shape.gpus }];
        const wish = { ...wishOf({ mesh, traffic: {} }), segments: group.segments };
        const { spots, record } = placeMesh(cluster.room, wish, request, packed);
        expect(faultsOf(cluster, request, [spots])).toEqual([]);
        expect(totalMicros(record)).toBeLessThanOrEqual(record.packedMicros);
        const anew = orderMesh(cluster.room, wish, packed);
        expect(faultsOf(cluster, request, [anew.spots])).toEqual([]);
        expect(totalMicros(anew.record)).toBeLessThanOrEqual(totalMicros(judgeMesh(cluster.room, wish, packed).record));
      },
    ),
    { numRuns: cases(300) },
  );
});

const names = ({ capacity }: Room, { spots }: MeshChoice): string => spots.map(({ node }) => capacity.nameOf(node)).join(' ');

/** Eight nodes of one GPU in racks of five and three; names are n0 to n7. */
const unevenRacks = [0, 0, 0, 0, 0, 1, 1, 1].map((rack) => freeNode(rack, 1));

test('groups that fit into a rack are not cut by its end', () => {
  const { room } = buildSmallCluster(unevenRacks);
  const gang = {
    mesh: [
      { axis: 'data' as const, size: 2 },
      { axis: 'expert' as const, size: 3 },
    ],
    gpusPerWorker: 1,
    workers: 6,
    traffic: {},
  };
  const choice = place(room, gang);
  // Packing alone takes all five of one rack and one of the other.
  expect(choice === null ? '' : names(room, choice)).toBe('n0 n1 n2 n5 n6 n7');
});

test('whose bytes are many goes fastest, when the user says so', () => {
  const { room } = buildSmallCluster([0, 0, 1, 1].map((rack) => freeNode(rack, 2)));
  const mesh = [
    { axis: 'data' as const, size: 4 },
    { axis: 'expert' as const, size: 2 },
  ];
  const gang = { mesh, gpusPerWorker: 2, workers: 4 };
  expect(place(room, { ...gang, traffic: {} })?.record.order).toEqual(['data', 'expert']);
  expect(place(room, { ...gang, traffic: { data: 2 ** 40, expert: 2 ** 20 } })?.record.order).toEqual(['expert', 'data']);
});

test('three and two share the links of two domains better than four and one', () => {
  const { room } = buildSmallCluster([freeNode(0, 4, 0), freeNode(0, 3, 1)]);
  const choice = place(room, { mesh: [{ axis: 'data', size: 5 }], gpusPerWorker: 1, workers: 5, traffic: {} });
  expect(choice === null ? '' : names(room, choice)).toBe('n0 n0 n0 n1 n1');
});

test('what blocks alone do not see is found by exchanges, of three where it takes three', () => {
  const { room } = buildSmallCluster([freeNode(0, 2, 1), freeNode(1, 4, 1), freeNode(0, 2), freeNode(0, 2), freeNode(1, 2)]);
  const mesh = [
    { axis: 'pipeline' as const, size: 3 },
    { axis: 'expert' as const, size: 4 },
  ];
  const choice = place(room, { mesh, gpusPerWorker: 2, workers: 6, traffic: {} });
  const least = choice === null ? 0 : leastOfOrders(room, choice.spots, trafficOf(mesh, {}));
  expect(totalMicros(choice?.record ?? { costs: [] })).toBe(Math.round(least * 1e6));
});

test('segments of the user stay whole, though another order would be cheaper', () => {
  const { room } = buildSmallCluster([0, 0, 1, 1].map((rack) => freeNode(rack, 1)));
  const axes = trafficOf(
    [
      { axis: 'data', size: 2 },
      { axis: 'expert', size: 2 },
    ],
    { data: 2 ** 40, expert: 2 ** 20 },
  );
  const segments = [{ depth: rackDepth, workers: 2 }];
  const request = anywhere([{ workers: 4, shape: wholeGpus(model, 1), segments }]);
  const packed = findPlacement(room, request)?.[0] ?? [];
  const wish = { axes, isOrderFixed: true, speeds };
  // Workers 0 and 2 talk most, and are in two racks.
  expect(names(room, placeMesh(room, { ...wish, segments }, request, packed))).toBe('n0 n1 n2 n3');
  // Without segments 0 and 2 share a rack, and 1 and 3 the other.
  expect(names(room, orderMesh(room, { ...wish, segments: [] }, packed))).toBe('n3 n1 n2 n0');
});
