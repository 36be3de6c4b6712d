import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Capacity } from './capacity.ts';

/** What one worker needs of one node. */
export interface WorkerShape {
  /** null: the worker has no GPUs. */
  readonly model: string | null;
  readonly gpus: number;
  /** Of each of its GPUs; below 1000 only with `gpus` 1. */
  readonly gpuMilli: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

export const wholeGpus = (model: string | null, gpus: number): WorkerShape => ({
  model,
  gpus,
  gpuMilli: gpuMilliPerGpu,
  cpuMilli: 0,
  memoryBytes: 0,
});

export const shapeKey = (shape: WorkerShape): string =>
  `${shape.model ?? ''} ${shape.gpus} ${shape.gpuMilli} ${shape.cpuMilli} ${shape.memoryBytes}`;

/** Only whole GPUs matter: what fits follows from the number of free ones alone. */
export const isPlain = (shape: WorkerShape): boolean =>
  shape.gpus > 0 && shape.gpuMilli === gpuMilliPerGpu && shape.cpuMilli === 0 && shape.memoryBytes === 0;

/** How many such workers fit on the node now. */
export const slotsOn = (capacity: Capacity, node: number, shape: WorkerShape): number =>
  capacity.isOpen(node) ? slotsIfOpen(capacity, node, shape) : 0;

/** The same whether the node takes work or not. */
export function slotsIfOpen(capacity: Capacity, node: number, shape: WorkerShape): number {
  let slots = gpuSlots(capacity, node, shape);
  if (slots > 0 && shape.cpuMilli > 0) slots = Math.min(slots, Math.floor(capacity.cpuFreeMilli(node) / shape.cpuMilli));
  if (slots > 0 && shape.memoryBytes > 0) slots = Math.min(slots, Math.floor(capacity.memoryFreeBytes(node) / shape.memoryBytes));
  return Math.max(0, slots);
}

function gpuSlots(capacity: Capacity, node: number, shape: WorkerShape): number {
  if (shape.model === null || shape.gpus === 0) return capacity.gpulessFree(node);
  const model = capacity.modelNumber(shape.model);
  if (model < 0) return 0;
  if (shape.gpuMilli === gpuMilliPerGpu) return Math.floor(capacity.wholeFree(node, model) / shape.gpus);
  let slots = 0;
  for (let gpu = 0; gpu < capacity.gpusOf(node); gpu += 1) slots += Math.floor(capacity.freeMilli(node, gpu, model) / shape.gpuMilli);
  return slots;
}
