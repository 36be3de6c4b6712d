import type { PopularShape, ShapeRequest } from './fragmentation.ts';

/**
 * Which requests are popular of late: a bounded count that forgets.
 *
 * Each request adds one unit (16, so that halves count) to its shape. When the units reach `unitsMax`, all are halved and what is left with
 * nothing is dropped, so what is remembered is about the last 4,000 to 8,000 requests. A new shape in a full table
 * takes the place of the least popular one. Pure: the same requests in the same order give the same table.
 */
export type PopularShapes = readonly PopularShape[];

export const noPopularShapes: PopularShapes = [];

const shapesMax = 64;
const unit = 16;
const unitsMax = 8192;

/** Sorted by weight, then by shape. */
export function notePopular(known: PopularShapes, request: ShapeRequest): PopularShapes {
  const key = shapeKey(request);
  const same = known.find((shape) => shapeKey(shape) === key);
  const others = known.filter((shape) => shape !== same).slice(0, shapesMax - 1);
  const added = { ...toShape(request), weight: (same?.weight ?? 0) + unit };
  return forget([...others, added].sort(byPopularity));
}

function forget(shapes: PopularShapes): PopularShapes {
  const total = shapes.reduce((sum, shape) => sum + shape.weight, 0);
  if (total < unitsMax * unit) return shapes;
  return shapes.map((shape) => ({ ...shape, weight: Math.floor(shape.weight / 2) })).filter((shape) => shape.weight > 0);
}

/** Without what else the caller's object carries. */
function toShape({ cpuMilli, memoryBytes, gpuMilli, gpus, models }: ShapeRequest): ShapeRequest {
  return { cpuMilli, memoryBytes, gpuMilli, gpus, models };
}

function byPopularity(one: PopularShape, other: PopularShape): number {
  if (one.weight !== other.weight) return other.weight - one.weight;
  return shapeKey(one) < shapeKey(other) ? -1 : 1;
}

/** Equal for equal requests; the order of `models` counts. */
export function shapeKey({ cpuMilli, memoryBytes, gpuMilli, gpus, models }: ShapeRequest): string {
  return `${cpuMilli} ${memoryBytes} ${gpuMilli} ${gpus} ${models.join('|')}`;
}
