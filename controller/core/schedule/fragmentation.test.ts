import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRoom, PopularShape } from './fragmentation.ts';
import { fitsRoom, fragmentationMilli, gpuChoices, roomAfter, sumIdle } from './fragmentation.ts';

const gib = 2 ** 30;

function room(gpuMilliFree: readonly number[], cpuMilliFree = 16_000, model = 'T4'): NodeRoom {
  return { gpuMilliFree, cpuMilliFree, memoryBytesFree: 64 * gib, model };
}

function shape(gpus: number, gpuMilli: number, more: Partial<PopularShape> = {}): PopularShape {
  return { gpus, gpuMilli, cpuMilli: 4_000, memoryBytes: gib, models: [], weight: 1, ...more };
}

const anyRoom = fc.record({
  cpuMilliFree: fc.integer({ min: 0, max: 128_000 }),
  memoryBytesFree: fc.constant(gib),
  model: fc.constantFrom('T4', 'H100'),
  gpuMilliFree: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 8 }),
});

const anyShape = fc.record({
  cpuMilli: fc.integer({ min: 0, max: 128_000 }),
  memoryBytes: fc.constantFrom(0, gib),
  gpuMilli: fc.integer({ min: 1, max: 1000 }),
  gpus: fc.integer({ min: 0, max: 8 }),
  models: fc.constantFrom<readonly string[]>([], ['H100']),
  weight: fc.integer({ min: 1, max: 100 }),
});

describe('fragmentationMilli', () => {
  it('is the mean over requests of what they could not use, as counted by hand', () => {
    const node = room([1000, 600, 300], 16_000);
    const shapes = [
      shape(1, 500, { weight: 5 }), // 300 is too little: 300
      shape(1, 1000, { weight: 2 }), // 600 and 300 are: 900
      shape(2, 1000, { weight: 1 }), // only one whole GPU: all 1900
      shape(1, 100, { weight: 1, cpuMilli: 17_000 }), // no CPU for it: all 1900
      shape(0, 0, { weight: 1 }), // wants no GPU: all 1900
    ];
    expect(fragmentationMilli(node, shapes)).toBe((5 * 300 + 2 * 900 + 3 * 1900) / 10);
  });

  it('counts all idle GPU as lost to a request for another model', () => {
    expect(fragmentationMilli(room([1000, 500]), [shape(1, 100, { models: ['H100'] })])).toBe(1500);
  });

  it('is zero for a node whose GPUs are all idle and that every request can use, and when nothing is popular', () => {
    expect(fragmentationMilli(room([1000, 1000]), [shape(1, 1000), shape(2, 1000)])).toBe(0);
    expect(fragmentationMilli(room([300]), [])).toBe(0);
  });

  it('is never negative and never more than what is idle', () => {
    fc.assert(
      fc.property(anyRoom, fc.array(anyShape, { maxLength: 6 }), (node, shapes) => {
        const lost = fragmentationMilli(node, shapes);
        expect(lost).toBeGreaterThanOrEqual(0);
        expect(lost).toBeLessThanOrEqual(sumIdle(node) + 1e-9);
      }),
    );
  });

  it('does not depend on the order of the GPUs or the unit of the weights', () => {
    fc.assert(
      fc.property(anyRoom, fc.array(anyShape, { maxLength: 6 }), (node, shapes) => {
        const turned = { ...node, gpuMilliFree: node.gpuMilliFree.toReversed() };
        const heavier = shapes.map((each) => ({ ...each, weight: each.weight * 3 }));
        expect(fragmentationMilli(turned, heavier)).toBeCloseTo(fragmentationMilli(node, shapes), 6);
      }),
    );
  });
});

describe('gpuChoices', () => {
  it('offers each amount left once for a part of a GPU, the tightest first', () => {
    expect(gpuChoices(room([1000, 400, 700, 400, 300]), shape(1, 350))).toEqual([[1], [2], [0]]);
  });

  it('offers one set of GPUs to a request for several', () => {
    expect(gpuChoices(room([1000, 500, 1000, 1000]), shape(2, 1000))).toEqual([[0, 2]]);
  });

  it('offers a request without GPUs the empty set, on any model', () => {
    expect(gpuChoices(room([0]), shape(0, 0, { models: ['H100'] }))).toEqual([[]]);
  });

  it('never takes more than there is, and offers nothing exactly when the request does not fit', () => {
    fc.assert(
      fc.property(anyRoom, anyShape, (node, request) => {
        const choices = gpuChoices(node, request);
        expect(choices.length > 0).toBe(fitsRoom(node, request));
        for (const gpus of choices) {
          const after = roomAfter(node, request, gpus);
          expect(Math.min(after.cpuMilliFree, after.memoryBytesFree, ...after.gpuMilliFree)).toBeGreaterThanOrEqual(0);
          expect(sumIdle(node) - sumIdle(after)).toBe(request.gpus * request.gpuMilli);
        }
      }),
    );
  });
});
