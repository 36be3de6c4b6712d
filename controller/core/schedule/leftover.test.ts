import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRoom, PopularShape } from './fragmentation.ts';
import { compileOutlook, leftoverMilli } from './leftover.ts';

function popular(gpuMilli: number, weight: number): PopularShape {
  return { gpus: 1, gpuMilli, cpuMilli: 10 * gpuMilli, memoryBytes: 1000 * gpuMilli, models: [], weight };
}

function room(gpuMilliFree: readonly number[], cpuMilliFree = 100_000, memoryBytesFree = 10_000_000): NodeRoom {
  return { gpuMilliFree, cpuMilliFree, memoryBytesFree, model: 'T4' };
}

describe('compileOutlook', () => {
  it('expects a GPU to end full where popular requests add up, and to keep what nobody asks for', () => {
    const { idleMilli } = compileOutlook([popular(300, 1), popular(200, 1)]);
    expect(idleMilli[50]).toBe(0); // 300 + 200
    expect(idleMilli[30]).toBe(0);
    expect(idleMilli[19]).toBe(190);
    expect(idleMilli[25]).toBe(50); // one of 200
  });

  it('expects less of a rare partner than of a frequent one', () => {
    const rare = compileOutlook([popular(500, 1), popular(810, 999)]).idleMilli[50] ?? 0;
    const frequent = compileOutlook([popular(500, 50), popular(810, 50)]).idleMilli[50] ?? 0;
    expect(rare).toBeGreaterThan(400);
    expect(frequent).toBe(0);
  });

  it('expects nothing to be used when no request is known, and starves nothing', () => {
    const outlook = compileOutlook([]);
    expect(outlook.idleMilli[50]).toBe(500);
    expect(leftoverMilli(room([500], 0, 0), outlook)).toBe(4 * 500);
  });
});

describe('leftoverMilli', () => {
  const outlook = compileOutlook([popular(1000, 1)]);

  it('counts idle GPUs that the CPU or the memory left cannot feed, by the scarcer of the two', () => {
    expect(leftoverMilli(room([1000, 1000]), outlook)).toBe(0);
    expect(leftoverMilli(room([1000, 1000], 15_000), outlook)).toBe(500);
    expect(leftoverMilli(room([1000, 1000], 15_000, 1_000_000), outlook)).toBe(1000);
  });

  it('counts a piece that nobody asks for four times', () => {
    expect(leftoverMilli(room([190]), outlook)).toBe(4 * 190);
  });

  it('is an integer, never negative, and never more than five times what is idle', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 8 }),
        fc.integer({ min: 0, max: 128_000 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 50 })), { maxLength: 6 }),
        (gpus, cpuMilli, shapes) => {
          const some = compileOutlook(shapes.map(([milli, weight]) => popular(milli, weight)));
          const left = leftoverMilli(room(gpus, cpuMilli), some);
          expect(Number.isInteger(left)).toBe(true);
          expect(left).toBeGreaterThanOrEqual(0);
          expect(left).toBeLessThanOrEqual(5 * gpus.reduce((sum, free) => sum + free, 0));
        },
      ),
    );
  });
});
