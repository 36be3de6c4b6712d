import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '#test/cases.ts';
import type { ShapeRequest } from './fragmentation.ts';
import type { PopularRecord, PopularShapes } from './popularShapes.ts';
import { lookAtPopular, noPopularShapes, notePopular } from './popularShapes.ts';

const request = (gpuMilli: number, models: readonly string[] = []): ShapeRequest => ({
  gpus: 1,
  gpuMilli,
  cpuMilli: 1000,
  memoryBytes: 1000,
  models,
});

function noteAll(popular: PopularRecord, sizes: readonly number[]): PopularShapes {
  for (const size of sizes) note(popular, request(size));
  return lookAgain(popular);
}
function note(popular: PopularRecord, asked: ShapeRequest): void {
  notePopular(popular, asked);
  lookAtPopular(popular);
}

function lookAgain(popular: PopularRecord): PopularShapes {
  popular.lookAt = popular.seen;
  lookAtPopular(popular);
  return popular.shapes;
}

const repeat = (size: number, count: number): readonly number[] => new Array<number>(count).fill(size);

describe('notePopular', () => {
  it('counts equal requests as one shape and puts the most popular first', () => {
    const popular = noPopularShapes();
    for (const each of [request(300, ['A', 'B']), request(500), request(500)]) note(popular, each);
    expect(lookAgain(popular)).toEqual([
      { ...request(500), weight: 32 },
      { ...request(300, ['A', 'B']), weight: 16 },
    ]);
  });

  it('looks at each doubling, then after 2,048 more, and a table that was looked at never changes', () => {
    const popular = noPopularShapes();
    const looks: number[] = [];
    let [last, was] = [popular.shapes, ''];
    for (let seen = 1; seen <= 6144; seen += 1) {
      note(popular, request(300));
      if (popular.shapes === last) expect(JSON.stringify(last)).toBe(was || '[]');
      else looks.push(seen);
      [last, was] = [popular.shapes, JSON.stringify(popular.shapes)];
    }
    expect(looks).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 6144]);
  });

  it('keeps 64 shapes: a new one takes the place of the least popular', () => {
    const sizes = Array.from({ length: 64 }, (_, index) => index + 1);
    const popular = noteAll(noPopularShapes(), [...sizes, ...sizes.slice(1), 999]);
    expect(popular).toHaveLength(64);
    expect(popular.some(({ gpuMilli }) => gpuMilli === 1)).toBe(false);
    expect(popular.some(({ gpuMilli }) => gpuMilli === 999)).toBe(true);
  });

  it('forgets: what is no longer asked for loses to what is, and goes at last', () => {
    const popular = noPopularShapes();
    noteAll(popular, repeat(300, 6000));
    expect(noteAll(popular, repeat(500, 6000))[0]?.gpuMilli).toBe(500);
    expect(noteAll(popular, repeat(500, 80_000)).map(({ gpuMilli }) => gpuMilli)).toEqual([500]);
  });

  it('knows the sum of what it counts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 3000 })), { maxLength: 8 }), (runs) => {
        const popular = noPopularShapes();
        for (const [size, count] of runs) noteAll(popular, repeat(size, count));
        expect(popular.total).toBe([...popular.weights.values()].reduce((sum, weight) => sum + weight, 0));
        expect(popular.total).toBeLessThan(8192 * 16);
      }),
      { numRuns: cases(50) },
    );
  });
});
