import { expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

it('doubles its bound from 100 ms to 5 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 1e6].map((failures) => backoffMs(failures, 0.999999))).toEqual([
    100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000,
  ]);
});

it('is anything from 0 to its bound', () => {
  expect([0, 0.25, 0.5].map((random) => backoffMs(3, random))).toEqual([0, 100, 200]);
});
