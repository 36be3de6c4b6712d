import { expect, test } from 'vitest';
import { limits } from '#controller/limits.ts';
import { ManualClock } from '../testing/manualClock.ts';
import { collectWhenQuiet } from './collectWhenQuiet.ts';

function watchHeap() {
  const clock = new ManualClock();
  const stop = new AbortController();
  const heap = {
    now: 1,
    bytes: 0,
    collected: 0,
    revision: () => heap.now,
    heapBytes: () => heap.bytes,
    collect: () => (heap.collected += 1),
  };
  collectWhenQuiet(heap, clock, stop.signal);
  return { clock, stop, heap };
}

test('garbage is collected once after the start, and once after each piece of work', async () => {
  const { clock, heap } = watchHeap();
  await clock.pass(10 * limits.quietMs);
  expect(heap.collected).toBe(1);
  heap.now = 2;
  await clock.pass(limits.quietMs);
  expect(heap.collected).toBe(1);
  await clock.pass(10 * limits.quietMs);
  expect(heap.collected).toBe(2);
});

test('never while commits go on', async () => {
  const { clock, heap } = watchHeap();
  for (let commit = 2; commit < 100; commit += 1) {
    heap.now = commit;
    await clock.pass(limits.quietMs);
  }
  expect(heap.collected).toBe(0);
});

test('a large heap is left alone, and has its turn when it is smaller', async () => {
  const { clock, heap } = watchHeap();
  heap.bytes = limits.quietHeapBytesMax + 1;
  await clock.pass(3 * limits.quietMs);
  expect(heap.collected).toBe(0);
  heap.bytes = limits.quietHeapBytesMax;
  await clock.pass(limits.quietMs);
  expect(heap.collected).toBe(1);
});

test('it ends with the controller, and asks for nothing where Node does not offer it', () => {
  const { clock, stop } = watchHeap();
  expect(clock.timers).toBe(1);
  stop.abort();
  expect(clock.timers).toBe(0);
  collectWhenQuiet({ revision: () => 1, heapBytes: () => 1, collect: undefined }, clock, new AbortController().signal);
  expect(clock.timers).toBe(0);
});
