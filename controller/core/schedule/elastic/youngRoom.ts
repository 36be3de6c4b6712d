import type { Turn } from '../../turn.ts';
import type { Capacity } from '../capacity/capacity.ts';

/** Room that came free a short while ago: others may come for it. Read once a pass, in a walk over the nodes. */
export class YoungRoom {
  readonly #capacity: Capacity;
  readonly #nodes: number[] = [];
  /** When the first of it is old enough; null: there is none. Milliseconds since 1970. */
  readonly ripensAtMs: number | null;

  constructor({ state, context }: Turn, capacity: Capacity) {
    this.#capacity = capacity;
    const { growAfterIdleMs } = context.policy;
    let soonest = Infinity;
    for (const [number, name] of capacity.topology.names.entries()) {
      const ripeMs = (state.nodes.get(name)?.roomAtMs ?? 0) + growAfterIdleMs;
      if (ripeMs <= context.nowMs || !capacity.isOpen(number)) continue;
      this.#nodes.push(number);
      if (capacity.factsOf(number).gpus.some(({ index }) => capacity.freeMilli(number, index) > 0)) soonest = Math.min(soonest, ripeMs);
    }
    this.ripensAtMs = soonest === Infinity ? null : soonest;
  }

  /** Takes what is free there: for a trial that is rolled back. */
  close(): void {
    for (const node of this.#nodes) {
      for (const [gpuMilli, gpus] of this.#freeOn(node)) {
        this.#capacity.take({ owner: null, node, gpus, gpuMilli, cpuMilli: 0, memoryBytes: 0 });
      }
    }
  }

  /** GPUs by the part that is free of them. */
  #freeOn(node: number): ReadonlyMap<number, readonly number[]> {
    const parts = new Map<number, number[]>();
    for (const { index } of this.#capacity.factsOf(node).gpus) {
      const milli = this.#capacity.freeMilli(node, index);
      if (milli === 0) continue;
      const alike = parts.get(milli);
      if (alike === undefined) parts.set(milli, [index]);
      else alike.push(index);
    }
    return parts;
  }
}
