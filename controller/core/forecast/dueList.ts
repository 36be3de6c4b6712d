import type { JobUid } from '#vocabulary/ids.ts';

/** Something that a running job is going to do. */
export interface Due {
  readonly atMs: number;
  readonly job: JobUid;
  /** It is about this attempt of it only. */
  readonly attempt: number;
  readonly what: 'end' | 'leave' | 'save';
}

/** What comes when, the soonest first, of equal times by job uid: a binary heap. */
export class DueList {
  readonly #heap: Due[] = [];

  /** null: nothing is due any more. */
  get nextMs(): number | null {
    return this.#heap[0]?.atMs ?? null;
  }

  add(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    for (let parent = (at - 1) >> 1; at > 0; at = parent, parent = (at - 1) >> 1) {
      const above = heap[parent];
      if (above === undefined || !isSooner(due, above)) break;
      heap[at] = above;
      heap[parent] = due;
    }
  }

  /** Takes all that is due by then, in order. */
  takeUntil(atMs: number): readonly Due[] {
    const taken: Due[] = [];
    for (let [first] = this.#heap; first !== undefined && first.atMs <= atMs; [first] = this.#heap) {
      taken.push(first);
      this.#dropFirst();
    }
    return taken;
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let next = this.#soonerChild(at); next < heap.length; next = this.#soonerChild(at)) {
      const child = heap[next];
      if (child === undefined || !isSooner(child, last)) break;
      heap[at] = child;
      at = next;
    }
    heap[at] = last;
  }

  #soonerChild(at: number): number {
    const [left, right] = [this.#heap[2 * at + 1], this.#heap[2 * at + 2]];
    return left !== undefined && right !== undefined && isSooner(right, left) ? 2 * at + 2 : 2 * at + 1;
  }
}

const isSooner = (one: Due, other: Due): boolean => (one.atMs === other.atMs ? one.job < other.job : one.atMs < other.atMs);
