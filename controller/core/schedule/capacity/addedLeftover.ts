import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Outlook } from '../leftover.ts';
import { pieceMilli, starvedMilli } from '../leftover.ts';
import type { Capacity } from './capacity.ts';
import type { WorkerShape } from './shape.ts';

/**
 * By node, how much more would stay idle for good (`leftover.ts`) if one worker of a shape stood there. Counted once, then
 * kept: when it is asked, only nodes that changed since are judged again.
 */
export class AddedLeftover {
  readonly #capacity: Capacity;
  readonly #shape: WorkerShape;
  readonly #outlook: Outlook;
  readonly #added: Float64Array;
  /** Idle milli-GPU of the node before it comes. */
  readonly #idle: Int32Array;
  #asOf = -1;

  constructor(capacity: Capacity, shape: WorkerShape, outlook: Outlook) {
    this.#capacity = capacity;
    this.#shape = shape;
    this.#outlook = outlook;
    this.#added = new Float64Array(capacity.nodes);
    this.#idle = new Int32Array(capacity.nodes);
  }

  /**
   * Of the nodes with room for the shape (`slots` by domain) the one where it adds least, then the one with the least idle
   * GPU, then the first; null: none has room.
   */
  best(slots: Int32Array): Thrift | null {
    this.#catchUp();
    const { levelStart, depth } = this.#capacity.topology;
    const start = levelStart[depth] ?? 0;
    let best = -1;
    for (let node = 0; node < this.#capacity.nodes; node += 1) {
      if ((slots[start + node] ?? 0) > 0 && (best < 0 || this.#isBetter(node, best))) best = node;
    }
    return best < 0 ? null : { node: best, addedMilli: this.#added[best] ?? 0, idleMilli: this.#idle[best] ?? 0 };
  }

  #isBetter(node: number, best: number): boolean {
    const [added, least] = [this.#added[node] ?? 0, this.#added[best] ?? 0];
    return added !== least ? added < least : (this.#idle[node] ?? 0) < (this.#idle[best] ?? 0);
  }

  #catchUp(): void {
    const { changes, nodes } = this.#capacity;
    if (changes === this.#asOf) return;
    const changed = this.#asOf < 0 ? null : this.#capacity.changedSince(this.#asOf);
    if (changed === null) for (let node = 0; node < nodes; node += 1) this.#judge(node);
    else for (const node of changed) this.#judge(node);
    this.#asOf = changes;
  }

  #judge(node: number): void {
    const { gpus, gpuMilli, cpuMilli, memoryBytes } = this.#shape;
    const before = {
      idleMilli: idleMilliOf(this.#capacity, node),
      cpuMilliFree: this.#capacity.cpuFreeMilli(node),
      memoryBytesFree: this.#capacity.memoryFreeBytes(node),
    };
    const after = {
      idleMilli: before.idleMilli - gpus * gpuMilli,
      cpuMilliFree: before.cpuMilliFree - cpuMilli,
      memoryBytesFree: before.memoryBytesFree - memoryBytes,
    };
    const gpu = isPart(this.#shape) ? leastPieceGpu(this.#capacity, node, this.#shape, this.#outlook) : -1;
    // Whole GPUs leave no piece, wherever they are.
    const pieces = gpu < 0 ? 0 : addedPiece(this.#capacity.freeMilli(node, gpu), gpuMilli, this.#outlook);
    this.#added[node] = pieces + starvedMilli(after, this.#outlook) - starvedMilli(before, this.#outlook);
    this.#idle[node] = before.idleMilli;
  }
}

/** The place of a single worker, and what it costs. */
export interface Thrift {
  readonly node: number;
  readonly addedMilli: number;
  readonly idleMilli: number;
}

export const isPart = ({ gpus, gpuMilli }: WorkerShape): boolean => gpus === 1 && gpuMilli < gpuMilliPerGpu;

/** Slots of divided GPUs wait for workers of their own. */
function idleMilliOf(capacity: Capacity, node: number): number {
  let idle = 0;
  for (const { index, slotOf } of capacity.factsOf(node).gpus) if (slotOf === undefined) idle += capacity.freeMilli(node, index);
  return idle;
}

const addedPiece = (free: number, taken: number, outlook: Outlook): number => pieceMilli(free - taken, outlook) - pieceMilli(free, outlook);

/** The GPU where a part leaves the least, then the one with the least room, then the first; -1: none holds it. */
export function leastPieceGpu(capacity: Capacity, node: number, { model, gpuMilli }: WorkerShape, outlook: Outlook): number {
  const number = model === null ? -1 : capacity.modelNumber(model);
  let [best, least, room] = [-1, 0, 0];
  for (let gpu = 0; gpu < capacity.gpusOf(node); gpu += 1) {
    const free = capacity.freeMilli(node, gpu, number);
    if (free < gpuMilli) continue;
    const added = addedPiece(free, gpuMilli, outlook);
    if (best < 0 || added < least || (added === least && free < room)) [best, least, room] = [gpu, added, free];
  }
  return best;
}
