import { describe, expect, test } from 'vitest';
import { jobUid } from '#vocabulary/ids.ts';
import type { Hold } from './holds.ts';
import { freeMilli, heldMilli, holdersOf, isWhollyFree, noHolds, releaseHold, takeHold } from './holds.ts';

const hold = (job: string, milli: number): Hold => ({ job: jobUid(job), milli });
const node = (): { name: string; holds: (readonly Hold[])[] } => ({ name: 'n1', holds: [noHolds, noHolds] });

describe('a GPU', () => {
  test('is held in parts up to the whole, and named in the order of uids whoever came first', () => {
    const one = node();
    takeHold(one, 0, hold('b', 300));
    takeHold(one, 0, hold('a', 700));
    expect(holdersOf(one, 0)).toEqual([hold('a', 700), hold('b', 300)]);
    expect([freeMilli(one, 0), freeMilli(one, 1), heldMilli(one)]).toEqual([0, 1000, 1000]);
    expect([isWhollyFree(one, 0), isWhollyFree(one, 1)]).toEqual([false, true]);
  });

  test('is never given beyond the whole', () => {
    const one = node();
    takeHold(one, 0, hold('a', 701));
    expect(() => takeHold(one, 0, hold('b', 300))).toThrow('GPU 0 of n1: b is given 300, 299 are free, held by a 701');
    expect(() => takeHold(one, 1, hold('b', 1001))).toThrow('promise broken');
    expect(() => takeHold(one, 2, hold('b', 1))).toThrow('held by nobody');
  });

  test('counts workers of one job together, and gives them back one by one', () => {
    const one = node();
    takeHold(one, 0, hold('a', 300));
    takeHold(one, 0, hold('a', 300));
    takeHold(one, 0, hold('b', 100));
    releaseHold(one, 0, hold('a', 300));
    expect(holdersOf(one, 0)).toEqual([hold('a', 300), hold('b', 100)]);
    releaseHold(one, 0, hold('a', 300));
    releaseHold(one, 0, hold('a', 300));
    releaseHold(one, 0, hold('b', 100));
    expect(holdersOf(one, 0)).toBe(noHolds);
  });

  test('that is not there is neither free nor held', () => {
    expect([freeMilli(node(), 9), isWhollyFree(node(), 9), holdersOf(node(), 9)]).toEqual([0, false, noHolds]);
  });
});
