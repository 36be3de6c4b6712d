/**
 * How many idle GPUs of a node a popular request could not use (Fragmentation Gradient Descent).
 *
 * Intuition: half a GPU is worth nothing to a request for a whole one, and neither are four idle GPUs beside two idle
 * cores. What is idle but unusable depends on who asks, so it is counted for each popular request and averaged.
 *
 * Method: for one request, all idle GPU of the node is lost when the request cannot run there (too little CPU, too few
 * GPUs with enough left, another model, or no wish for GPUs at all); otherwise what lies on GPUs with too little left
 * is. The value is the mean over requests, weighted by popularity.
 *
 * Limits: memory is not looked at, as in the source. It is a measure of what is lost to the next request, not of what
 * can still be filled later: for choosing a place, `leftover.ts` is better (see its figures).
 *
 * Source: Weng et al., Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent,
 * USENIX ATC 2023, section 4.
 */
export interface NodeRoom {
  readonly cpuMilliFree: number;
  readonly memoryBytesFree: number;
  readonly model: string;
  /** By GPU index; 1000 is an idle GPU, 0 a full one. */
  readonly gpuMilliFree: readonly number[];
}

/** What one worker asks of a node. */
export interface ShapeRequest {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Of each GPU, 1..1000; 0 where `gpus` is 0. */
  readonly gpuMilli: number;
  readonly gpus: number;
  /** Empty: any model. */
  readonly models: readonly string[];
}

export interface PopularShape extends ShapeRequest {
  /** Share of the requests, in any unit. */
  readonly weight: number;
}

/** 0..the idle milli-GPU of the node; 0 when no shape is known. */
export function fragmentationMilli(room: NodeRoom, shapes: readonly PopularShape[]): number {
  const idle = sumIdle(room);
  let lost = 0;
  let weights = 0;
  for (const shape of shapes) {
    weights += shape.weight;
    lost += shape.weight * lostTo(room, idle, shape);
  }
  return weights === 0 ? 0 : lost / weights;
}

export function sumIdle(room: NodeRoom): number {
  let idle = 0;
  for (const free of room.gpuMilliFree) idle += free;
  return idle;
}

function lostTo(room: NodeRoom, idle: number, shape: PopularShape): number {
  if (shape.gpus === 0 || shape.cpuMilli > room.cpuMilliFree || !admitsModel(shape, room.model)) return idle;
  let useful = 0;
  let crumbs = 0;
  for (const free of room.gpuMilliFree) {
    if (free >= shape.gpuMilli) useful += 1;
    else crumbs += free;
  }
  return useful < shape.gpus ? idle : crumbs;
}

/** Whether the worker can run there now. A worker without GPUs runs beside any model. */
export function fitsRoom(room: NodeRoom, request: ShapeRequest): boolean {
  if (request.cpuMilli > room.cpuMilliFree || request.memoryBytes > room.memoryBytesFree) return false;
  if (request.gpus === 0) return true;
  if (!admitsModel(request, room.model)) return false;
  let useful = 0;
  for (const free of room.gpuMilliFree) if (free >= request.gpuMilli) useful += 1;
  return useful >= request.gpus;
}

function admitsModel(request: ShapeRequest, model: string): boolean {
  return request.models.length === 0 || request.models.includes(model);
}

/**
 * The sets of GPU indices worth comparing, none if it does not fit. A part of one GPU: each GPU with enough left, once
 * for each amount left. Otherwise one set: those with the least left, then the lowest index.
 */
export function gpuChoices(room: NodeRoom, request: ShapeRequest): readonly (readonly number[])[] {
  if (!fitsRoom(room, request)) return [];
  const free = room.gpuMilliFree;
  const useful = [...free.keys()].filter((index) => leftOn(room, index) >= request.gpuMilli);
  useful.sort((one, other) => leftOn(room, one) - leftOn(room, other) || one - other);
  if (request.gpus !== 1) return [useful.slice(0, request.gpus)];
  return useful.filter((index, at) => at === 0 || leftOn(room, useful[at - 1] ?? 0) !== free[index]).map((index) => [index]);
}

function leftOn(room: NodeRoom, index: number): number {
  return room.gpuMilliFree[index] ?? 0;
}

export function roomAfter(room: NodeRoom, request: ShapeRequest, gpus: readonly number[]): NodeRoom {
  return {
    cpuMilliFree: room.cpuMilliFree - request.cpuMilli,
    memoryBytesFree: room.memoryBytesFree - request.memoryBytes,
    model: room.model,
    gpuMilliFree: room.gpuMilliFree.map((free, index) => (gpus.includes(index) ? free - request.gpuMilli : free)),
  };
}
