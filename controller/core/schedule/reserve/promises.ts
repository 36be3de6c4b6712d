import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';
import type { WorkerShape } from '../capacity/shape.ts';
import type { Spot } from '../gang/gangRequest.ts';

/** GPUs that are promised to a waiting job from some time on. */
export interface Promised {
  readonly job: JobUid;
  /** When the job is there at the latest. */
  readonly startMs: number;
  /** When it is gone again at the latest; Infinity: nobody knows. */
  readonly endMs: number;
  readonly spots: readonly Spot[];
  readonly shape: WorkerShape;
  /** null: others may be in its domains. */
  readonly exclusiveDepth: number | null;
  /** It empties for the job, nobody knows until when. Absent: it is a reservation, or the place of a nominee. */
  readonly isTarget?: true;
}

/**
 * What one pass has promised to jobs that wait, and what that leaves to those behind them: who is gone before a promise
 * begins may use its GPUs, everybody else keeps out. At most the free part of a promised place is held; the rest is held by
 * those who leave it in time.
 *
 * A view of the cluster is the set of promises held in it: the first `n` by their start. So a later leaver sees what an
 * earlier one sees, less the places of more promises, and a shape that finds no place in one view finds none in the next.
 */
export class Promises {
  readonly #capacity: Capacity;
  /** By start; of equal ones, in the order in which they were made. */
  readonly #promised: Promised[] = [];
  /** Of the first promises: those that are held now. */
  readonly #held: (readonly Hold[])[] = [];
  /** By promise: GPUs that it took when it was last held. */
  readonly #keptGpus: number[] = [];
  /** Promised GPUs, by node. */
  readonly #gpus = new Map<number, Set<number>>();
  /** By view: shapes that found no place in it. */
  readonly #failed: Map<string, WaitReason>[] = [new Map<string, WaitReason>()];

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get all(): readonly Promised[] {
    return this.#promised;
  }

  add(promised: Promised): void {
    const found = this.#promised.findIndex((other) => other.startMs > promised.startMs);
    const at = found === -1 ? this.#promised.length : found;
    this.#hold(Math.min(this.#held.length, at));
    this.#promised.splice(at, 0, promised);
    this.#keptGpus.splice(at, 0, 0);
    this.#failed.splice(at + 1, 0, new Map<string, WaitReason>());
    for (const { node, gpus } of promised.spots) {
      const known = this.#gpus.get(node) ?? new Set();
      for (const gpu of gpus) known.add(gpu);
      this.#gpus.set(node, known);
    }
    this.#hold(at + 1);
  }

  /** The view of a job that is gone at `endMs` at the latest. */
  viewOf(endMs: number): number {
    const found = this.#promised.findIndex(({ startMs }) => startMs >= endMs);
    return found === -1 ? this.#promised.length : found;
  }

  /** Makes the capacity show this view. */
  show(view: number): void {
    this.#hold(view);
  }

  /** What is held now of places that empty: whoever gives it back at once when it is wanted may be there meanwhile. */
  heldOfTargets(): readonly Hold[] {
    return this.#held.flatMap((holds, at) => (this.#promised[at]?.isTarget === true ? holds : []));
  }

  /** Shows the cluster as it is. To be called before the capacity is used by anybody else. */
  end(): void {
    this.#hold(0);
  }

  /** Free GPUs that are out of reach in this view, as of when it was last shown. */
  gpusKept(view: number): number {
    let gpus = 0;
    for (let at = 0; at < view; at += 1) gpus += this.#keptGpus[at] ?? 0;
    return gpus;
  }

  findFailed(view: number, key: string): WaitReason | undefined {
    for (let each = 0; each <= view; each += 1) {
      const wait = this.#failed[each]?.get(key);
      if (wait !== undefined) return wait;
    }
    return undefined;
  }

  noteFailed(view: number, key: string, wait: WaitReason): void {
    this.#failed[view]?.set(key, wait);
  }

  /** There is more room than before: what found no place may find one. */
  forgetFailed(): void {
    for (const failed of this.#failed) failed.clear();
  }

  /** Whether one of these holds is on a promised GPU. */
  touches(holds: readonly Hold[]): boolean {
    // Asked of all who run, in each search: mostly their nodes are promised to nobody.
    for (const { node, gpus } of holds) {
      const promised = this.#gpus.get(node);
      if (promised !== undefined && gpus.some((gpu) => promised.has(gpu))) return true;
    }
    return false;
  }

  #hold(count: number): void {
    while (this.#held.length > count) for (const hold of this.#held.pop() ?? []) this.#capacity.give(hold);
    while (this.#held.length < count) {
      const promised = this.#promised[this.#held.length];
      if (promised === undefined) return;
      const holds = takeFree(this.#capacity, promised);
      this.#keptGpus[this.#held.length] = holds.reduce((sum, { gpus }) => sum + gpus.length, 0);
      this.#held.push(holds);
    }
  }
}

/** Takes what is free of a promised place: of each worker one hold, if its GPUs are all free to the same part. */
export function takeFree(capacity: Capacity, { spots, shape, exclusiveDepth }: Promised): readonly Hold[] {
  const number = shape.model === null ? -1 : capacity.modelNumber(shape.model);
  const holds: Hold[] = [];
  const take = (hold: Omit<Hold, 'owner'>): void => {
    const taken = { owner: null, ...hold };
    capacity.take(taken);
    holds.push(taken);
  };
  for (const { node, gpus } of spots) {
    const cpuMilli = Math.max(0, Math.min(shape.cpuMilli, capacity.cpuFreeMilli(node)));
    const memoryBytes = Math.max(0, Math.min(shape.memoryBytes, capacity.memoryFreeBytes(node)));
    const nothing = { node, gpus: [], gpuMilli: 0, cpuMilli: 0, memoryBytes: 0 };
    if (cpuMilli > 0 || memoryBytes > 0 || gpus.length === 0) take({ ...nothing, cpuMilli, memoryBytes });
    if (exclusiveDepth !== null) take({ ...nothing, exclusiveDepth });
    for (const [gpuMilli, alike] of byFreePart(capacity, { node, gpus }, number, shape.gpuMilli))
      take({ ...nothing, gpus: alike, gpuMilli });
  }
  return holds;
}

/** GPUs of the spot that are free to some part, up to `mostMilli`, by that part. */
function byFreePart(capacity: Capacity, { node, gpus }: Spot, model: number, mostMilli: number): ReadonlyMap<number, readonly number[]> {
  const parts = new Map<number, number[]>();
  for (const gpu of gpus) {
    const milli = Math.min(mostMilli, capacity.freeMilli(node, gpu, model));
    if (milli === 0) continue;
    const alike = parts.get(milli);
    if (alike === undefined) parts.set(milli, [gpu]);
    else alike.push(gpu);
  }
  return parts;
}
