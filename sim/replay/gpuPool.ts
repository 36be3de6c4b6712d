import { FreeIndex } from '#core/schedule/capacity/freeIndex.ts';
import { assert } from '#vocabulary/assert.ts';
import type { ReplayJob } from './replayJob.ts';

export interface ClusterShape {
  readonly nodes: number;
  /** GPUs of every node. */
  readonly nodeGpus: number;
}

/**
 * The GPUs of the cluster and how jobs are cut into pieces on it. A job of up to a node's GPUs is one piece on one node;
 * a larger one takes wholly free nodes, lowest index first, and one piece with the rest on another node. All or nothing.
 * A piece goes where the fewest free GPUs are enough, then to the lowest index ("best fit").
 */
export class GpuPool {
  readonly nodes: number;
  readonly nodeGpus: number;
  readonly totalGpus: number;
  readonly #free: FreeIndex;
  /** The same by node, which can be copied in one go. */
  readonly #freeOn: Uint16Array;
  readonly #residents: readonly ReplayJob[][];
  readonly #down: Uint8Array;
  #idleGpus: number;
  #downGpus = 0;

  constructor({ nodes, nodeGpus }: ClusterShape) {
    this.nodes = nodes;
    this.nodeGpus = nodeGpus;
    this.totalGpus = nodes * nodeGpus;
    this.#idleGpus = this.totalGpus;
    this.#free = new FreeIndex(nodes, nodeGpus);
    this.#freeOn = new Uint16Array(nodes);
    for (let node = 0; node < nodes; node += 1) this.#setFree(node, nodeGpus);
    this.#down = new Uint8Array(nodes);
    this.#residents = Array.from({ length: nodes }, () => []);
  }

  get idleGpus(): number {
    return this.#idleGpus;
  }

  /** Of nodes that are away. */
  get downGpus(): number {
    return this.#downGpus;
  }

  isDown(node: number): boolean {
    return this.#down[node] === 1;
  }

  /** A node on which nothing runs goes away: none of its GPUs are free until it is back. */
  takeDown(node: number): void {
    assert(!this.isDown(node) && this.freeOn(node) === this.nodeGpus, 'a node goes away once, and empty');
    this.#setFree(node, 0);
    this.#down[node] = 1;
    this.#idleGpus -= this.nodeGpus;
    this.#downGpus += this.nodeGpus;
  }

  bringUp(node: number): void {
    this.#down[node] = 0;
    this.#setFree(node, this.nodeGpus);
    this.#idleGpus += this.nodeGpus;
    this.#downGpus -= this.nodeGpus;
  }

  freeOn(node: number): number {
    return this.#freeOn[node] ?? 0;
  }

  /** How many nodes have 0, 1, ... free GPUs. */
  freeCounts(): number[] {
    return Array.from({ length: this.nodeGpus + 1 }, (_, value) => this.#free.count(value));
  }

  /** Free GPUs of each node, as a copy. */
  freeVector(): Uint16Array {
    return this.#freeOn.slice();
  }

  /** The jobs with a piece on this node, in no order that means anything. */
  residents(node: number): readonly ReplayJob[] {
    return this.#residents[node] ?? [];
  }

  fits(gpus: number): boolean {
    return gpus <= this.#idleGpus && gpusFit(gpus, this.nodeGpus, (value) => this.#free.count(value));
  }

  /** Where a job that fits goes. */
  bestFit(gpus: number): number[] {
    const { whole, rest } = cut(gpus, this.nodeGpus);
    const nodes: number[] = [];
    let last = -1;
    while (nodes.length < whole) {
      last = this.#free.first(this.nodeGpus, last + 1);
      nodes.push(last);
    }
    if (rest > 0) {
      const node = this.#free.smallestAtLeast(rest);
      // Only a wholly free node can be one of those above, and the next such node is not.
      nodes.push(this.freeOn(node) === this.nodeGpus ? this.#free.first(this.nodeGpus, last + 1) : node);
    }
    return nodes;
  }

  take(job: ReplayJob, nodes: readonly number[]): void {
    for (const [position, node] of nodes.entries()) {
      this.#setFree(node, this.freeOn(node) - pieceGpus(job.gpus, this.nodeGpus, position));
      this.#residents[node]?.push(job);
    }
    this.#idleGpus -= job.gpus;
    job.nodes = nodes;
  }

  give(job: ReplayJob): void {
    for (const [position, node] of job.nodes.entries()) {
      this.#setFree(node, this.freeOn(node) + pieceGpus(job.gpus, this.nodeGpus, position));
      const residents = this.#residents[node] ?? [];
      const at = residents.indexOf(job);
      assert(at >= 0, 'a job gives back what it has');
      residents.splice(at, 1);
    }
    this.#idleGpus += job.gpus;
  }

  /** Whether all the pieces that the job had last are free. */
  stillFree(job: ReplayJob): boolean {
    return job.nodes.every((node, position) => this.freeOn(node) >= pieceGpus(job.gpus, this.nodeGpus, position));
  }

  /** GPUs of the job's piece on a node that it has. */
  gpusOn(job: ReplayJob, node: number): number {
    const last = job.nodes.length - 1;
    return pieceGpus(job.gpus, this.nodeGpus, job.nodes[last] === node ? last : 0);
  }

  #setFree(node: number, gpus: number): void {
    this.#free.set(node, gpus);
    this.#freeOn[node] = gpus;
  }
}

/** Whole nodes, and the GPUs of the piece beside them. */
export function cut(gpus: number, nodeGpus: number): { readonly whole: number; readonly rest: number } {
  if (gpus < nodeGpus) return { whole: 0, rest: gpus };
  const rest = gpus % nodeGpus;
  return { whole: (gpus - rest) / nodeGpus, rest };
}

/** GPUs of a job's piece at this position. */
export function pieceGpus(gpus: number, nodeGpus: number, position: number): number {
  return Math.min(gpus - position * nodeGpus, nodeGpus);
}

/** Whether a job fits where `count(v)` nodes have v GPUs free: the numbers are enough, no node has to be looked at. */
export function gpusFit(gpus: number, nodeGpus: number, count: (value: number) => number): boolean {
  const { whole, rest } = cut(gpus, nodeGpus);
  const wholeLeft = count(nodeGpus) - whole;
  if (wholeLeft < 0) return false;
  if (rest === 0 || wholeLeft > 0) return true;
  for (let value = rest; value < nodeGpus; value += 1) if (count(value) > 0) return true;
  return false;
}
