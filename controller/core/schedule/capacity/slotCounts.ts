import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Capacity } from './capacity.ts';
import { gpulessWorkersMax } from './capacity.ts';
import { FreeIndex } from './freeIndex.ts';
import type { WorkerShape } from './shape.ts';
import { slotsOn } from './shape.ts';

/**
 * How many workers of one shape, or units of several, fit into each domain now. Counted once, then kept: when it is asked, only nodes that
 * changed since are counted again and the difference goes up to the root, so a question costs as much as what happened,
 * not as much as the cluster is large; and a "no" is exact.
 */
export interface CountRule {
  readonly shape: WorkerShape;
  /** Nodes that may be used, 1 or 0 by number; null: all. */
  readonly allowed: Uint8Array | null;
  /** null: single workers are counted. */
  readonly units: UnitRule | null;
}

/** Workers that stay together; see gang/units.ts. */
export interface UnitRule {
  /** Workers of one unit of a domain, by depth; 1 where nothing is said. Each divides the one above. */
  readonly size: readonly number[];
  /** At most `max` workers in one domain of the depth. */
  readonly spread: { readonly depth: number; readonly max: number } | null;
}

/** Units on one node up to which nodes are kept by their numbers: each number takes a bit a node. */
const indexedMax = 64;

export class SlotCounts {
  readonly rule: CountRule;
  readonly #capacity: Capacity;
  readonly #slots: Int32Array;
  /** What the domain's children hold together, before it is divided into the domain's own units; of a node, workers. null: the same. */
  readonly #sums: Int32Array | null;
  #nodes: FreeIndex | null = null;
  #asOf = 0;

  constructor(capacity: Capacity, rule: CountRule) {
    this.rule = rule;
    this.#capacity = capacity;
    this.#slots = new Int32Array(capacity.topology.parent.length);
    this.#sums = rule.units === null ? null : new Int32Array(this.#slots.length);
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

  /**
   * The node with the least room among those that hold so many units, the first of equals; -1: none. `undefined`: so many
   * fit on one node that nodes cannot be kept by their numbers.
   */
  tightestNode(units: number): number | undefined {
    const slots = this.read();
    const first = this.#capacity.topology.levelStart[this.#capacity.topology.depth] ?? 0;
    const most = this.#mostOnNode();
    if (most > indexedMax) return undefined;
    if (this.#nodes === null) {
      this.#nodes = new FreeIndex(this.#capacity.nodes, most);
      for (let node = 0; node < this.#capacity.nodes; node += 1) this.#nodes.set(node, slots[first + node] ?? 0);
    }
    return this.#nodes.smallestAtLeast(units);
  }

  /** An upper bound, whatever is free. */
  #mostOnNode(): number {
    const { gpus, gpuMilli } = this.rule.shape;
    return gpus === 0 ? gpulessWorkersMax : Math.floor(this.#capacity.gpusMost / gpus) * Math.floor(gpuMilliPerGpu / gpuMilli);
  }

  #countAll(): void {
    const { levelStart, parent, depth } = this.#capacity.topology;
    const sums = this.#sums ?? this.#slots;
    const first = levelStart[depth] ?? 0;
    sums.fill(0, 0, first);
    for (let node = 0; node < this.#capacity.nodes; node += 1) sums[first + node] = this.#countNode(node);
    for (let level = depth; level >= 0; level -= 1) {
      for (let domain = levelStart[level] ?? 0; domain < (levelStart[level + 1] ?? 0); domain += 1) {
        if (this.#sums !== null) this.#slots[domain] = this.#cut(level, sums[domain] ?? 0);
        const above = parent[domain] ?? -1;
        if (above >= 0) sums[above] = (sums[above] ?? 0) + (this.#slots[domain] ?? 0);
      }
    }
    this.#asOf = this.#capacity.changes;
    if (this.#nodes !== null)
      for (let node = 0; node < this.#capacity.nodes; node += 1) this.#nodes.set(node, this.#slots[first + node] ?? 0);
  }

  #recount(node: number): void {
    const { levelStart, parent, depth } = this.#capacity.topology;
    let domain = (levelStart[depth] ?? 0) + node;
    const sums = this.#sums;
    let change = this.#countNode(node) - ((sums ?? this.#slots)[domain] ?? 0);
    if (change === 0) return;
    for (let level = depth; domain >= 0 && change !== 0; level -= 1) {
      const before = this.#slots[domain] ?? 0;
      if (sums === null) this.#slots[domain] = before + change;
      else {
        sums[domain] = (sums[domain] ?? 0) + change;
        this.#slots[domain] = this.#cut(level, sums[domain] ?? 0);
        change = (this.#slots[domain] ?? 0) - before;
      }
      if (level === depth) this.#nodes?.set(node, this.#slots[domain] ?? 0);
      domain = parent[domain] ?? -1;
    }
  }

  /** What its children hold, as units of the domain itself. A spread holds below its level too: a rack that takes four of a gang has no node that takes five. */
  #cut(depth: number, sum: number): number {
    const { units } = this.rule;
    if (units === null) return sum;
    const size = units.size[depth] ?? 1;
    const whole = Math.floor(sum / (size / (depth === this.#capacity.topology.depth ? 1 : (units.size[depth + 1] ?? 1))));
    return units.spread === null || depth < units.spread.depth ? whole : Math.min(whole, Math.floor(units.spread.max / size));
  }

  #countNode(node: number): number {
    const { shape, allowed } = this.rule;
    return allowed !== null && allowed[node] !== 1 ? 0 : slotsOn(this.#capacity, node, shape);
  }
}
