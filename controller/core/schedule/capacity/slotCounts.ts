import type { Capacity } from './capacity.ts';
import type { WorkerShape } from './shape.ts';
import { slotsOn } from './shape.ts';

/**
 * How many workers of one shape fit into each domain now. Counted once, then kept: when it is asked, only nodes that
 * changed since are counted again and the difference goes up to the root, so a question costs as much as what happened,
 * not as much as the cluster is large; and a "no" is exact.
 */
export interface CountRule {
  readonly shape: WorkerShape;
  /** Nodes that may be used, 1 or 0 by number; null: all. */
  readonly allowed: Uint8Array | null;
}

export class SlotCounts {
  readonly rule: CountRule;
  readonly #capacity: Capacity;
  readonly #slots: Int32Array;
  #asOf = 0;

  constructor(capacity: Capacity, rule: CountRule) {
    this.rule = rule;
    this.#capacity = capacity;
    this.#slots = new Int32Array(capacity.topology.parent.length);
    this.#countAll();
  }

  /** By domain number. Up to date when the capacity has not changed since this call. */
  read(): Int32Array {
    const { changes } = this.#capacity;
    if (changes === this.#asOf) return this.#slots;
    const changed = this.#capacity.changedSince(this.#asOf);
    if (changed === null || changed.length > this.#capacity.nodes) this.#countAll();
    else for (const node of changed) this.#recount(node);
    this.#asOf = changes;
    return this.#slots;
  }

  #countAll(): void {
    const { levelStart, parent, depth } = this.#capacity.topology;
    const first = levelStart[depth] ?? 0;
    this.#slots.fill(0, 0, first);
    for (let node = 0; node < this.#capacity.nodes; node += 1) this.#slots[first + node] = this.#countNode(node);
    for (let domain = this.#slots.length - 1; domain > 0; domain -= 1) {
      const above = parent[domain] ?? 0;
      this.#slots[above] = (this.#slots[above] ?? 0) + (this.#slots[domain] ?? 0);
    }
    this.#asOf = this.#capacity.changes;
  }

  #recount(node: number): void {
    const { levelStart, parent, depth } = this.#capacity.topology;
    let domain = (levelStart[depth] ?? 0) + node;
    const change = this.#countNode(node) - (this.#slots[domain] ?? 0);
    if (change === 0) return;
    for (; domain >= 0; domain = parent[domain] ?? -1) this.#slots[domain] = (this.#slots[domain] ?? 0) + change;
  }

  #countNode(node: number): number {
    const { shape, allowed } = this.rule;
    return allowed !== null && allowed[node] !== 1 ? 0 : slotsOn(this.#capacity, node, shape);
  }
}
