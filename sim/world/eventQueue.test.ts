import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from './eventQueue.ts';

test('what is due first comes first, and of one time what was asked for first', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (times) => {
      const queue = new EventQueue();
      const seen: (readonly [number, number])[] = [];
      for (const [index, atMs] of times.entries()) queue.at(atMs, () => seen.push([atMs, index]));
      for (let run = queue.takeDue(100); run !== undefined; run = queue.takeDue(100)) run();
      const want = times.map((atMs, index) => [atMs, index] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(seen).toEqual(want);
    }),
  );
});

test('what lies ahead stays', () => {
  const queue = new EventQueue();
  queue.at(5, () => undefined);
  expect(queue.takeDue(4)).toBeUndefined();
  expect(queue.nextMs).toBe(5);
});
