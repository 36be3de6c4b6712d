import type { JobSpec } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { PopularShape, ShapeRequest } from './fragmentation.ts';

/**
 * Which requests are popular of late: a bounded count that forgets.
 *
 * Each request adds one unit (16, so that halves count) to its shape. When the units reach `unitsMax`, all are halved and
 * what is left with nothing is dropped, so what is remembered is about the last 4,000 to 8,000 requests. A new shape in a
 * full table takes the place of the least popular one. The same requests in the same order give the same table.
 *
 * Decisions are made by the table as of the last look. Looks are taken when a job was placed, so that a plan of a job and
 * its placement see the same table, and seldom, since places are judged anew after each: when twice as many requests were
 * seen as at the last look, or 2,048 more.
 */
export interface PopularRecord {
  seen: number;
  /** The next look is due when so many were seen. */
  lookAt: number;
  /** Sum of `weights`. */
  total: number;
  readonly weights: Map<string, number>;
  /** As of the last look; sorted by weight, then by shape. Never changed in place: equal means the same table. */
  shapes: PopularShapes;
}

export type PopularShapes = readonly PopularShape[];

export const noPopularShapes = (): PopularRecord => ({ seen: 0, lookAt: 1, total: 0, weights: new Map(), shapes: [] });

const shapesMax = 64;
const unit = 16;
const unitsMax = 8192;
const lookEvery = 2048;

export function notePopular(popular: PopularRecord, request: ShapeRequest): void {
  const { weights } = popular;
  const key = shapeKey(request);
  const known = weights.get(key);
  if (known === undefined && weights.size >= shapesMax) dropLeast(popular);
  weights.set(key, (known ?? 0) + unit);
  popular.total += unit;
  if (popular.total >= unitsMax * unit) halve(popular);
  popular.seen += 1;
}

/** Looks if it is time to. */
export function lookAtPopular(popular: PopularRecord): void {
  const { seen, lookAt, weights } = popular;
  if (seen < lookAt) return;
  popular.lookAt = seen + Math.min(seen, lookEvery);
  popular.shapes = sortShapes(weights);
}

/** What a job asks of a node for each of its workers; null: a slot, which is no part of what others ask. */
export function requestedShape(spec: JobSpec): ShapeRequest | null {
  const { gpusPerWorker: gpus, gpuModels: models, gpuProfile, template } = spec;
  if (gpuProfile !== null) return null;
  const { cpuMilli, memoryBytes } = template;
  return { cpuMilli: cpuMilli ?? 0, memoryBytes: memoryBytes ?? 0, gpuMilli: gpus === 0 ? 0 : milliPerGpu(spec), gpus, models };
}

function dropLeast(popular: PopularRecord): void {
  let least: readonly [key: string, weight: number] | null = null;
  for (const entry of popular.weights) if (least === null || isMorePopular(least, entry)) least = entry;
  if (least === null) return;
  popular.weights.delete(least[0]);
  popular.total -= least[1];
}

function halve(popular: PopularRecord): void {
  popular.total = 0;
  for (const [key, weight] of popular.weights) {
    const half = Math.floor(weight / 2);
    if (half === 0) popular.weights.delete(key);
    else popular.weights.set(key, half);
    popular.total += half;
  }
}

function sortShapes(weights: ReadonlyMap<string, number>): PopularShapes {
  const sorted = [...weights].sort((one, other) => (isMorePopular(one, other) ? -1 : 1));
  return sorted.map(([key, weight]) => ({ ...parseKey(key), weight }));
}

const isMorePopular = (one: readonly [key: string, weight: number], other: readonly [key: string, weight: number]): boolean =>
  one[1] !== other[1] ? one[1] > other[1] : one[0] < other[0];

/** Equal for equal requests; the order of `models` counts. */
export function shapeKey({ cpuMilli, memoryBytes, gpuMilli, gpus, models }: ShapeRequest): string {
  return `${cpuMilli} ${memoryBytes} ${gpuMilli} ${gpus} ${models.join('|')}`;
}

/** No model has a space or a bar in its name. */
function parseKey(key: string): ShapeRequest {
  const [cpuMilli, memoryBytes, gpuMilli, gpus, models = ''] = key.split(' ');
  return {
    cpuMilli: Number(cpuMilli),
    memoryBytes: Number(memoryBytes),
    gpuMilli: Number(gpuMilli),
    gpus: Number(gpus),
    models: models === '' ? [] : models.split('|'),
  };
}
