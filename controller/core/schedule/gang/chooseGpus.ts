import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { WorkerShape } from '../capacity/shape.ts';

/**
 * Which GPUs of a node its workers get. Whole ones come from the NVLink domain with the least room that holds the worker,
 * else from several, largest first; a part of a GPU comes from the GPU with the least room that holds it. Ties: the lowest index.
 */
export function chooseGpus(capacity: Capacity, node: number, shape: WorkerShape, workers: number): readonly (readonly number[])[] {
  if (shape.gpus === 0 || shape.model === null) return Array.from({ length: workers }, () => []);
  const model = capacity.modelNumber(shape.model);
  return shape.gpuMilli === gpuMilliPerGpu
    ? chooseWhole(capacity, node, { model, gpus: shape.gpus, workers })
    : chooseParts(capacity, node, { model, milli: shape.gpuMilli, workers });
}

function chooseWhole(
  capacity: Capacity,
  node: number,
  wanted: { readonly model: number; readonly gpus: number; readonly workers: number },
): readonly (readonly number[])[] {
  // A worker that gets all of them, as in gangs of whole nodes: there is nothing to choose.
  if (wanted.workers === 1 && wanted.gpus === capacity.wholeFree(node, wanted.model)) return [allFree(capacity, node, wanted.model)];
  if (wanted.workers === 1) {
    const one = chooseLinked(capacity, node, wanted);
    if (one !== null) return [one];
  }
  const groups = linkedGroups(capacity, node, wanted.model);
  return Array.from({ length: wanted.workers }, () => {
    let tightest: number[] | undefined;
    for (const group of groups) {
      if (group.length >= wanted.gpus && (tightest === undefined || group.length < tightest.length)) tightest = group;
    }
    return tightest?.splice(0, wanted.gpus) ?? takeAcross(groups, wanted.gpus);
  });
}

function allFree(capacity: Capacity, node: number, model: number): readonly number[] {
  const free: number[] = [];
  for (let gpu = 0; gpu < capacity.gpusOf(node); gpu += 1) if (capacity.freeMilli(node, gpu, model) === gpuMilliPerGpu) free.push(gpu);
  return free;
}

/** GPUs of the NVLink domain with the least room that holds the worker; null: none does. */
function chooseLinked(
  capacity: Capacity,
  node: number,
  { model, gpus }: { readonly model: number; readonly gpus: number },
): readonly number[] | null {
  const isFree = (gpu: number): boolean => capacity.freeMilli(node, gpu, model) === gpuMilliPerGpu;
  let tightest: readonly number[] | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const group of capacity.linkedGpus(node)) {
    let free = 0;
    for (const gpu of group) if (isFree(gpu)) free += 1;
    if (free >= gpus && free < least) [tightest, least] = [group, free];
  }
  if (tightest === null) return null;
  // `filter` makes room for more than it finds, and this is kept with the job.
  return gpus === 1 ? [tightest.find(isFree) ?? 0] : tightest.filter(isFree).slice(0, gpus);
}

/** Wholly free GPUs of the model by NVLink domain. */
function linkedGroups(capacity: Capacity, node: number, model: number): readonly number[][] {
  return capacity.linkedGpus(node).map((group) => group.filter((gpu) => capacity.freeMilli(node, gpu, model) === gpuMilliPerGpu));
}

function takeAcross(groups: readonly number[][], count: number): readonly number[] {
  const taken: number[] = [];
  for (const group of [...groups].sort((left, right) => right.length - left.length)) taken.push(...group.splice(0, count - taken.length));
  return taken.sort((left, right) => left - right);
}

function chooseParts(
  capacity: Capacity,
  node: number,
  wanted: { readonly model: number; readonly milli: number; readonly workers: number },
): readonly (readonly number[])[] {
  const free = Array.from({ length: capacity.gpusOf(node) }, (_, gpu) => capacity.freeMilli(node, gpu, wanted.model));
  return Array.from({ length: wanted.workers }, () => {
    let tightest = -1;
    for (const [gpu, milli] of free.entries()) {
      if (milli >= wanted.milli && (tightest < 0 || milli < (free[tightest] ?? 0))) tightest = gpu;
    }
    if (tightest < 0) return [];
    free[tightest] = (free[tightest] ?? 0) - wanted.milli;
    return [tightest];
  });
}
