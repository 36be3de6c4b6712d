import { expect, test } from 'vitest';
import { nodeName } from '#vocabulary/ids.ts';
import { Capacity } from '../capacity/capacity.ts';
import { Room } from '../capacity/room.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { findPlacement, fits } from './findPlacement.ts';
import { anywhere } from './gangRequest.ts';

const rackDepth = 1;

/** Two nodes a rack, eight GPUs a node. */
function roomOf(racks: number): Room {
  const nodes = Array.from({ length: 2 * racks }, (_, index) => ({
    name: nodeName(`n${index}`),
    path: [`r${index >> 1}`],
    open: true,
    cpuMilli: null,
    memoryBytes: null,
    labels: {},
    gpus: Array.from({ length: 8 }, (_gpu, at) => ({ index: at, model: 'H100', nvlinkDomain: 0, healthy: true })),
  }));
  return new Room(Capacity.of(nodes, 2));
}

const atMostTwoARack = {
  ...anywhere([{ workers: 4, shape: wholeGpus('H100', 1), segments: [] }]),
  spread: { depth: rackDepth, max: 2 },
};

test('a spread over racks holds also where one node has room for the whole gang', () => {
  const spots = findPlacement(roomOf(3), atMostTwoARack)?.[0] ?? [];
  expect(spots.map((spot) => spot.node >> 1)).toEqual([0, 0, 1, 1]);
});

test('a spread that needs more racks than there are finds no place', () => {
  expect(findPlacement(roomOf(1), atMostTwoARack)).toBeNull();
  expect(fits(roomOf(1), atMostTwoARack)).toBe(false);
});
