import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BestFirst } from './bestFirst.ts';

test('gives items back in order, also when some come while others go', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { freq: 3 })), (steps) => {
      const heap = new BestFirst<number>((left, right) => left < right);
      const want: number[] = [];
      for (const step of steps) {
        if (step === null) {
          heap.removeBest();
          want.shift();
        } else {
          heap.add(step);
          want.push(step);
          want.sort((left, right) => left - right);
        }
        expect(heap.best()).toBe(want[0]);
      }
      for (; want.length > 0; want.shift(), heap.removeBest()) expect(heap.best()).toBe(want[0]);
      expect(heap.best()).toBeUndefined();
    }),
  );
});
