import { describe, expect, it } from 'vitest';
import type { ShapeRequest } from './fragmentation.ts';
import type { PopularShapes } from './popularShapes.ts';
import { noPopularShapes, notePopular } from './popularShapes.ts';

function request(gpuMilli: number): ShapeRequest {
  return { gpus: 1, gpuMilli, cpuMilli: 1000, memoryBytes: 1000, models: [] };
}

function noteAll(known: PopularShapes, sizes: readonly number[]): PopularShapes {
  return sizes.reduce((popular, size) => notePopular(popular, request(size)), known);
}

describe('notePopular', () => {
  it('counts equal requests as one shape and puts the most popular first', () => {
    const popular = noteAll(noPopularShapes, [300, 500, 500]);
    expect(popular.map(({ gpuMilli, weight }) => [gpuMilli, weight])).toEqual([
      [500, 32],
      [300, 16],
    ]);
  });

  it('keeps 64 shapes: a new one takes the place of the least popular', () => {
    const sizes = Array.from({ length: 64 }, (_, index) => index + 1);
    const popular = noteAll(noPopularShapes, [...sizes, ...sizes.slice(1), 999]);
    expect(popular).toHaveLength(64);
    expect(popular.some(({ gpuMilli }) => gpuMilli === 1)).toBe(false);
    expect(popular.some(({ gpuMilli }) => gpuMilli === 999)).toBe(true);
  });

  it('forgets: what is no longer asked for loses to what is, and goes at last', () => {
    const old = noteAll(noPopularShapes, new Array<number>(6000).fill(300));
    const now = noteAll(old, new Array<number>(6000).fill(500));
    expect(now[0]?.gpuMilli).toBe(500);
    expect(noteAll(now, new Array<number>(80_000).fill(500)).map(({ gpuMilli }) => gpuMilli)).toEqual([500]);
  });

  it('leaves the table it was given as it was', () => {
    const before = noteAll(noPopularShapes, [300]);
    notePopular(before, request(500));
    expect(before).toHaveLength(1);
  });
});
