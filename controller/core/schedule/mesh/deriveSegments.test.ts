import { expect, test } from 'vitest';
import { wholeGpus } from '../capacity/shape.ts';
import { buildSmallCluster, freeNode, model, range } from '../testing/smallCluster.ts';
import { deriveSegments } from './deriveSegments.ts';

const [zone, rack, node] = [1, 2, 3];

/** `racks`: free nodes of one GPU in each, two racks a zone. */
function wishes(
  racks: readonly number[],
  workers: number,
  blocks: readonly number[],
  own: readonly { depth: number; workers: number }[] = [],
) {
  const nodes = racks.flatMap((count, at) => range(count).map(() => freeNode(at, 1, Math.floor(at / 2))));
  const { room } = buildSmallCluster(nodes);
  const counts = room.slots(wholeGpus(model, 1));
  const levels = ['zone', 'rack', 'node'];
  return deriveSegments(room.capacity.topology, { workers, segments: own }, blocks, { counts, fromDepth: 1 }).map((segments) =>
    segments.map((segment) => `${levels[segment.depth - 1]} ${segment.workers}`).join(', '),
  );
}

test('the largest block that the racks hold comes first, then wishes for less', () => {
  expect(wishes([4, 4, 2, 2], 8, [2, 4])).toEqual(['zone 4, rack 4', 'rack 4', 'zone 4', 'zone 2, rack 2', 'rack 2', 'zone 2']);
});

test('a block that the racks do not hold is asked of what is around them', () => {
  expect(wishes([3, 3, 3, 3], 8, [4])).toEqual(['zone 4']);
});

test('no wish at all, when no level holds a block', () => {
  expect(wishes([1, 0, 1, 0], 2, [])).toEqual([]);
  expect(wishes([1, 1, 1, 1], 4, [4])).toEqual([]);
});

test('levels that the user says something of are his, and others nest with them', () => {
  expect(wishes([4, 4, 4, 4], 12, [4, 6], [{ depth: rack, workers: 4 }])).toEqual(['zone 4, rack 4']);
  expect(
    wishes(
      [4, 4, 4, 4],
      8,
      [2, 4],
      [
        { depth: zone, workers: 4 },
        { depth: node, workers: 1 },
      ],
    ),
  ).toEqual(['zone 4, rack 4, node 1', 'zone 4, rack 2, node 1']);
});
