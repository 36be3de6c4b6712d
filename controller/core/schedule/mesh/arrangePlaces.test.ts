import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { anySmallCluster, buildSmallCluster, freeNode, range } from '../testing/smallCluster.ts';
import { arrangePlaces } from './arrangePlaces.ts';
import { blocksOf, withParts } from './blocks.ts';

/** `racks`: how many places each has. One line a rack: which block each of its places is in, in order of the places. */
function picture(racks: readonly number[], blocks: readonly number[]): readonly string[] {
  const nodes = racks.flatMap((count, rack) => range(count).map(() => freeNode(rack, 1)));
  const { room } = buildSmallCluster(nodes);
  const order = arrangePlaces(room.capacity.topology, Int32Array.from(nodes.keys()), blocks);
  const blockOf = new Map([...order].map((place, worker) => [place, Math.floor(worker / (blocks[0] ?? 1))]));
  let first = 0;
  return racks.map((count) => {
    const line = range(count).map((at) => String.fromCodePoint(97 + (blockOf.get(first + at) ?? 0)));
    first += count;
    return line.join('');
  });
}

describe('blocks', () => {
  test('are whole inside a rack as far as it goes, and what is over completes each other', () => {
    expect(picture([5, 6, 5], [4])).toEqual(['aaaab', 'ccccbb', 'ddddb']);
  });

  test('are put together of as few pieces as it goes', () => {
    // 3 and 1, 2 and 2; not 3 and a part of a 2.
    expect(picture([3, 2, 1, 2], [4])).toEqual(['aaa', 'bb', 'a', 'bb']);
  });

  test('of larger size are made of smaller ones, near each other', () => {
    // Pairs stay inside racks; four are two pairs of a rack, or of neighbours.
    expect(picture([4, 2, 2], [2, 4])).toEqual(['aabb', 'cc', 'dd']);
  });

  test('need no rack of their own: without blocks workers follow the tree', () => {
    expect(picture([2, 2], [])).toEqual(['ab', 'cd']);
  });
});

test('each place has one worker, whatever the blocks', () => {
  fc.assert(
    fc.property(anySmallCluster, fc.constantFrom([], [2], [3], [2, 4], [2, 6], [3, 6]), (nodes, blocks) => {
      const { room } = buildSmallCluster(nodes);
      const count = (blocks.at(-1) ?? 1) * 2;
      const nodeOf = Int32Array.from(range(count), (place) => (place * 7) % room.capacity.nodes);
      const order = arrangePlaces(room.capacity.topology, nodeOf, blocks);
      expect([...order].sort((left, right) => left - right)).toEqual(range(count));
    }),
    { numRuns: cases(100) },
  );
});

describe('blocks of a mesh', () => {
  const v3 = [
    { axis: 'pipeline' as const, size: 16 },
    { axis: 'data' as const, size: 2 },
    { axis: 'expert' as const, size: 64 },
  ];

  test('are the groups of its fastest axes, in workers', () => {
    expect(blocksOf({ workers: 256, segments: [] }, v3, 8)).toEqual([8, 16]);
  });

  test('go with the segments of the user, or are none', () => {
    expect(blocksOf({ workers: 256, segments: [{ depth: 2, workers: 4 }] }, v3, 8)).toEqual([4, 8, 16]);
    expect(
      blocksOf(
        { workers: 192, segments: [{ depth: 2, workers: 12 }] },
        [
          { axis: 'data', size: 24 },
          { axis: 'tensor', size: 64 },
        ],
        8,
      ),
    ).toEqual([12]);
  });

  test('have parts of equal size', () => {
    expect(withParts([8], 32)).toEqual([2, 4, 8, 16]);
    expect(withParts([], 6)).toEqual([2, 3]);
  });
});
