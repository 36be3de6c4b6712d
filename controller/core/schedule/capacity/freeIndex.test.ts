import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { FreeIndex } from './freeIndex.ts';

/** The same questions answered by looking at every node. */
class NaiveIndex {
  readonly values: number[];

  constructor(values: readonly number[]) {
    this.values = [...values];
  }

  first(value: number, from: number, to: number): number {
    return this.values.findIndex((each, node) => each === value && node >= from && node < to);
  }

  smallestAtLeast(value: number, from: number, to: number): number {
    const enough = this.values.filter((each, node) => each >= value && node >= from && node < to);
    return enough.length === 0 ? -1 : this.first(Math.min(...enough), from, to);
  }
}

const max = 4;
/** Around the sizes at which a level is added: one word, one word of words. */
const anySize = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1_000, max: 1_060 }), fc.integer({ min: 32_760, max: 32_780 }));
const anyStep = fc.record({
  node: fc.nat(40_000),
  value: fc.nat(max),
  from: fc.nat(33_000),
  to: fc.nat(33_000),
  near: fc.boolean(),
});

test('answers as a search of all nodes does, on a cluster that is nearly empty, nearly full or in between', () => {
  fc.assert(
    fc.property(anySize, fc.nat(max), fc.array(anyStep, { maxLength: 60 }), (size, start, steps) => {
      const naive = new NaiveIndex(Array.from({ length: size }, () => start));
      const index = new FreeIndex(size, max);
      for (let node = 0; node < size; node += 1) index.set(node, start);
      for (const step of steps) {
        if (size > 0) {
          const node = step.node % size;
          naive.values[node] = step.value;
          index.set(node, step.value);
          expect(index.value(node)).toBe(step.value);
        }
        const from = step.near ? step.from % 70 : step.from;
        for (let value = 0; value <= max; value += 1) {
          expect(index.first(value, from, step.to)).toBe(naive.first(value, from, step.to));
          expect(index.smallestAtLeast(value, from, step.to)).toBe(naive.smallestAtLeast(value, from, step.to));
          expect(index.count(value)).toBe(naive.values.filter((each) => each === value).length);
        }
      }
    }),
    { numRuns: cases(60) },
  );
});

test('a copy and its original do not see each other change', () => {
  const index = new FreeIndex(100, 8);
  index.set(70, 8);
  const copy = index.copy();
  copy.set(70, 3);
  index.set(5, 8);
  expect([copy.first(8), copy.first(3), copy.count(8)]).toEqual([-1, 70, 0]);
  expect([index.first(8), index.first(3), index.count(8)]).toEqual([5, -1, 2]);
});

test('a value that no node can have is refused, not stored', () => {
  const index = new FreeIndex(4, 8);
  expect(() => index.set(0, 9)).toThrow('node 0 can have 9 free');
  expect(() => index.set(4, 1)).toThrow('node 4 can have 1 free');
  expect(index.count(0)).toBe(4);
});

test('nothing is found above the largest value or in an empty range', () => {
  const index = new FreeIndex(4, 8);
  index.set(2, 8);
  expect([index.smallestAtLeast(9), index.first(9), index.smallestAtLeast(1, 3), index.smallestAtLeast(1, 2, 2)]).toEqual([-1, -1, -1, -1]);
  expect(index.smallestAtLeast(-1)).toBe(0);
});
