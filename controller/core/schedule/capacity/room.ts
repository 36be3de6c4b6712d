import type { Outlook } from '../leftover.ts';
import { AddedLeftover } from './addedLeftover.ts';
import type { Capacity } from './capacity.ts';
import { FreeIndex } from './freeIndex.ts';
import type { WorkerShape } from './shape.ts';
import { isPlain, shapeKey, wholeGpus } from './shape.ts';
import { SlotCounts } from './slotCounts.ts';

/** Counters of a kind kept at once; the one that was asked least lately goes first. */
const countersMax = 96;

export interface AskedNodes {
  readonly key: string;
  readonly mask: Uint8Array;
}

/**
 * A capacity with its counters: made when a shape is first asked for, kept in step after that. One room belongs to one
 * capacity and lives as long.
 */
export class Room {
  readonly capacity: Capacity;
  readonly #counters = new Map<string, SlotCounts>();
  readonly #indices = new Map<number, { readonly index: FreeIndex; asOf: number }>();
  readonly #leftovers = new Map<string, AddedLeftover>();
  #outlook: Outlook | null = null;

  constructor(capacity: Capacity) {
    this.capacity = capacity;
  }

  /** Workers of the shape that fit, by domain. Valid until the capacity changes. */
  slots(shape: WorkerShape, allowed: AskedNodes | null = null): Int32Array {
    const key = `${shapeKey(shape)}|${allowed?.key ?? ''}`;
    return keep(this.#counters, key, () => new SlotCounts(this.capacity, { shape, allowed: allowed?.mask ?? null })).read();
  }

  /** What is asked of late; null: nothing that makes a difference between places of equal room. */
  get outlook(): Outlook | null {
    return this.#outlook;
  }

  set outlook(outlook: Outlook | null) {
    if (outlook !== this.#outlook) this.#leftovers.clear();
    this.#outlook = outlook;
  }

  /** How much each place of one such worker would leave idle for good; null: only its room matters. */
  leftover(shape: WorkerShape): AddedLeftover | null {
    const outlook = this.#outlook;
    if (outlook === null || isPlain(shape)) return null;
    return keep(this.#leftovers, shapeKey(shape), () => new AddedLeftover(this.capacity, shape, outlook));
  }

  /**
   * The node with the fewest free GPUs among those that hold `workers` such workers, the first of equals; -1: none.
   * `undefined`: the shape needs more than whole GPUs, so the number of free ones does not decide.
   */
  tightestNode(shape: WorkerShape, workers: number): number | undefined {
    if (!isPlain(shape) || shape.model === null) return undefined;
    const model = this.capacity.modelNumber(shape.model);
    return model < 0 ? -1 : this.#freeIndex(model).smallestAtLeast(workers * shape.gpus);
  }

  /** Healthy, wholly free GPUs of the model on nodes that take work. */
  freeGpus(model: string): number {
    return this.slots(wholeGpus(model, 1))[0] ?? 0;
  }

  #freeIndex(model: number): FreeIndex {
    const known = this.#indices.get(model);
    const { capacity } = this;
    if (known === undefined) {
      let most = 0;
      for (let node = 0; node < capacity.nodes; node += 1) most = Math.max(most, capacity.gpusOf(node));
      const index = new FreeIndex(capacity.nodes, most);
      for (let node = 0; node < capacity.nodes; node += 1) index.set(node, this.#freeOn(node, model));
      this.#indices.set(model, { index, asOf: capacity.changes });
      return index;
    }
    if (known.asOf !== capacity.changes) {
      const changed = capacity.changedSince(known.asOf);
      if (changed === null) for (let node = 0; node < capacity.nodes; node += 1) known.index.set(node, this.#freeOn(node, model));
      else for (const node of changed) known.index.set(node, this.#freeOn(node, model));
      known.asOf = capacity.changes;
    }
    return known.index;
  }

  #freeOn(node: number, model: number): number {
    return this.capacity.isOpen(node) ? this.capacity.wholeFree(node, model) : 0;
  }
}

/** The known one, or a new one; the one that was asked least lately goes when there are too many. */
function keep<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.delete(key);
  known.set(key, found);
  const oldest = known.keys().next();
  if (known.size > countersMax && oldest.done !== true) known.delete(oldest.value);
  return found;
}
