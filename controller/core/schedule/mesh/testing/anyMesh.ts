import fc from 'fast-check';
import type { Mesh, MeshAxis } from '#vocabulary/job.ts';
import { meshAxes } from '#vocabulary/job.ts';

/** A mesh of up to three axes, in the customary order, with its GPUs on workers of one, two or four. */
export interface SmallGang {
  readonly mesh: Mesh;
  readonly gpusPerWorker: number;
  readonly workers: number;
  readonly traffic: Readonly<Partial<Record<MeshAxis, number>>>;
}

const anyBytes = fc.constantFrom(undefined, undefined, 2 ** 26, 2 ** 30, 2 ** 33);

/** Of 2 to `workersMax` workers. */
export const anySmallGang = (workersMax: number): fc.Arbitrary<SmallGang> =>
  fc
    .record({
      axes: fc.subarray([...meshAxes], { minLength: 1, maxLength: 3 }),
      sizes: fc.array(fc.constantFrom(2, 2, 3, 4), { minLength: 3, maxLength: 3 }),
      bytes: fc.array(anyBytes, { minLength: 3, maxLength: 3 }),
      gpusPerWorker: fc.constantFrom(1, 1, 2, 4),
    })
    .map(({ axes, sizes, bytes, gpusPerWorker }) => {
      const mesh = axes.map((axis, at) => ({ axis, size: sizes[at] ?? 2 }));
      const gpus = mesh.reduce((product, { size }) => product * size, 1);
      const traffic = Object.fromEntries(axes.flatMap((axis, at) => (bytes[at] === undefined ? [] : [[axis, bytes[at]]])));
      return { mesh, gpusPerWorker, workers: gpus / gpusPerWorker, traffic };
    })
    .filter(({ workers }) => Number.isInteger(workers) && workers >= 2 && workers <= workersMax);

/** All orders of 0..count-1. */
export function* permutations(count: number): Generator<Int32Array> {
  const order = Int32Array.from({ length: count }, (_, at) => at);
  yield* permute(order, 0);
}

function* permute(order: Int32Array, from: number): Generator<Int32Array> {
  if (from >= order.length - 1) {
    yield order.slice();
    return;
  }
  for (let at = from; at < order.length; at += 1) {
    swap(order, from, at);
    yield* permute(order, from + 1);
    swap(order, from, at);
  }
}

function swap(order: Int32Array, one: number, other: number): void {
  const kept = order[one] ?? 0;
  order[one] = order[other] ?? 0;
  order[other] = kept;
}
