/** What happens when, in virtual milliseconds. Of one time, what was asked for first happens first. A binary heap. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #sequence = 0;

  /** When the next one is due; null: nothing is. */
  get nextMs(): number | null {
    return this.#heap[0]?.atMs ?? null;
  }

  get size(): number {
    return this.#heap.length;
  }

  at(atMs: number, run: () => void): void {
    this.#sequence += 1;
    const entry = { atMs, sequence: this.#sequence, run };
    let position = this.#heap.push(entry) - 1;
    while (position > 0) {
      const parent = (position - 1) >>> 1;
      const above = this.#heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      this.#heap[position] = above;
      position = parent;
    }
    this.#heap[position] = entry;
  }

  /** The next one that is due at `nowMs` or before, taken out. */
  takeDue(nowMs: number): (() => void) | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return first.run;
  }

  #sink(entry: Entry): void {
    let position = 0;
    for (;;) {
      const left = 2 * position + 1;
      const [a, b] = [this.#heap[left], this.#heap[left + 1]];
      const [child, below] = b !== undefined && a !== undefined && isBefore(b, a) ? [left + 1, b] : [left, a];
      if (below === undefined || isBefore(entry, below)) break;
      this.#heap[position] = below;
      position = child;
    }
    this.#heap[position] = entry;
  }
}

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

const isBefore = (left: Entry, right: Entry): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
