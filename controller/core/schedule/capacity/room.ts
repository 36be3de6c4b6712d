import type { Outlook } from '../leftover.ts';
import { AddedLeftover } from './addedLeftover.ts';
import type { Capacity } from './capacity.ts';
import { FreeIndex } from './freeIndex.ts';
import type { WorkerShape } from './shape.ts';
import { isPlain, shapeKey, wholeGpus } from './shape.ts';
import type { UnitRule } from './slotCounts.ts';
import { SlotCounts } from './slotCounts.ts';

/** Counters kept at once: as many as take some 32 MiB, within these bounds. The one that was asked least lately goes first. */
const counterBytesMax = 32 * 2 ** 20;
const countersMin = 96;
const countersMax = 2_048;

export interface AskedNodes {
  readonly key: string;
  readonly mask: Uint8Array;
}

/** Where and by what is counted. */
export interface Asked {
  /** null: all nodes. */
  readonly allowed: AskedNodes | null;
  /** null: single workers. */
  readonly units: UnitRule | null;
}

const nothingAsked: Asked = { allowed: null, units: null };

/**
 * A capacity with its counters: made when a shape is first asked for, kept in step after that. One room belongs to one
 * capacity and lives as long.
 */
export class Room {
  readonly capacity: Capacity;
  readonly #countersMax: number;
  readonly #counters = new Map<string, SlotCounts>();
  readonly #indices = new Map<number, { readonly index: FreeIndex; asOf: number }>();
  readonly #leftovers = new Map<string, AddedLeftover>();
  #outlook: Outlook | null = null;

  constructor(capacity: Capacity) {
    this.capacity = capacity;
    const counterBytes = 4 * (capacity.topology.parent.length + 1);
    this.#countersMax = Math.min(countersMax, Math.max(countersMin, Math.floor(counterBytesMax / counterBytes)));
  }

  /** Workers of the shape that fit, or units of them, by domain. Valid until the capacity changes. */
  slots(shape: WorkerShape, asked: Asked = nothingAsked): Int32Array {
    return this.#counter(shape, asked).read();
  }

  #counter(shape: WorkerShape, { allowed, units }: Asked): SlotCounts {
    const key = `${shapeKey(shape)}|${allowed?.key ?? ''}|${units === null ? '' : JSON.stringify(units)}`;
    return keep(
      this.#counters,
      this.#countersMax,
      key,
      () => new SlotCounts(this.capacity, { shape, allowed: allowed?.mask ?? null, units }),
    );
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
    return keep(this.#leftovers, countersMin, shapeKey(shape), () => new AddedLeftover(this.capacity, shape, outlook));
  }

  /**
   * The tightest node that holds `workers` such workers (or units of them), the first of equals; -1: none. Where only whole
   * GPUs matter it is the one with the fewest that are free, else the one that holds fewest of them.
   * `undefined`: so many of them fit on one node that nodes are not kept by their numbers.
   */
  tightestNode(shape: WorkerShape, asked: Asked, workers: number): number | undefined {
    const isPlainAsked = asked.allowed === null && asked.units === null;
    if (!isPlainAsked || !isPlain(shape) || shape.model === null) return this.#counter(shape, asked).tightestNode(workers);
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
      const index = new FreeIndex(capacity.nodes, capacity.gpusMost);
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
function keep<T>(known: Map<string, T>, most: number, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.delete(key);
  known.set(key, found);
  const oldest = known.keys().next();
  if (known.size > most && oldest.done !== true) known.delete(oldest.value);
  return found;
}
