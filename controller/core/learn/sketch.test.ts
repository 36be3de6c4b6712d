import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { Sketch } from './sketch.ts';
import { countAbove, noSamples, quantile, quantileAbove, withSample } from './sketch.ts';

const of = (values: readonly number[]): Sketch => values.reduce(withSample, noSamples);
const anyValue = fc.oneof(fc.nat(40), fc.nat(100_000), fc.nat(2 ** 31 - 1));

test('a quantile is within a sixteenth of the true one', () => {
  fc.assert(
    fc.property(fc.array(anyValue, { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 1_000 }), (values, permille) => {
      const sorted = values.toSorted((left, right) => left - right);
      const want = sorted[Math.max(1, Math.ceil((sorted.length * permille) / 1_000)) - 1] ?? 0;
      const got = quantile(of(values), permille) ?? -1;
      expect(Math.abs(got - want)).toBeLessThanOrEqual(want / 16);
    }),
    { numRuns: cases(300) },
  );
});

test('of those above a value only these count', () => {
  const sketch = of([1, 2, 3, 100, 200, 300, 400]);
  expect([countAbove(sketch, 50), countAbove(sketch, 1_000), quantileAbove(sketch, 1_000, 500)]).toEqual([4, 0, null]);
  expect(Math.abs((quantileAbove(sketch, 50, 500) ?? 0) - 200)).toBeLessThan(13);
});

describe('a sketch', () => {
  test('without samples knows nothing', () => expect(quantile(noSamples, 500)).toBeNull());

  test('forgets: what came of late counts more', () => {
    const sketch = of([...Array.from({ length: 1_000 }, () => 10), ...Array.from({ length: 300 }, () => 5_000)]);
    expect(sketch.total).toBeLessThan(256);
    expect(quantile(sketch, 500)).toBeGreaterThan(4_000);
  });

  test('stays small whatever comes, and sums up', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 1_500 }), (values) => {
        const { buckets, counts, total } = of(values);
        expect([buckets.length <= 255, total < 256, counts.reduce((sum, count) => sum + count, 0)]).toEqual([true, true, total]);
        expect(buckets.toSorted((left, right) => left - right)).toEqual(buckets);
      }),
      { numRuns: cases(50) },
    );
  });

  test('is not changed by what comes after it, and takes what is no value as the nearest one', () => {
    const before = of([5]);
    withSample(before, 5);
    expect(before).toEqual({ buckets: [5], counts: [1], total: 1 });
    expect(quantile(of([-3, 1e12]), 1_000)).toBeGreaterThan((2 ** 31 / 16) * 15);
  });
});
