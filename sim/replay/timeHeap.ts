import { assert } from '#vocabulary/assert.ts';

/** Rows that one heap can tell apart. */
export const rowsMax = 2 ** 20;
/** Some 270 years: what is left of a double's 53 bits. */
const secondsMax = 2 ** 33;

/** What happens next: pairs of (second, row), smallest first, packed into one double each. */
export class TimeHeap {
  #keys = new Float64Array(1_024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The second of the next pair; Infinity when there is none. */
  get nextS(): number {
    return this.#size === 0 ? Infinity : Math.floor((this.#keys[0] ?? 0) / rowsMax);
  }

  /** The row of the next pair; the heap is not empty. */
  get nextRow(): number {
    return (this.#keys[0] ?? 0) % rowsMax;
  }

  push(atS: number, row: number): void {
    assert(row < rowsMax && atS < secondsMax, 'a time and its row fit into one number');
    if (this.#size === this.#keys.length) {
      const larger = new Float64Array(this.#size * 2);
      larger.set(this.#keys);
      this.#keys = larger;
    }
    const key = atS * rowsMax + row;
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#keys[parent] ?? 0;
      if (above <= key) break;
      this.#keys[at] = above;
      at = parent;
    }
    this.#keys[at] = key;
  }

  /** Takes the next pair away and returns its row; the heap is not empty. */
  pop(): number {
    const top = this.#keys[0] ?? 0;
    this.#size -= 1;
    this.#sink(this.#keys[this.#size] ?? 0);
    return top % rowsMax;
  }

  #sink(key: number): void {
    const [keys, size] = [this.#keys, this.#size];
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child += 1;
      const below = keys[child] ?? 0;
      if (key <= below) break;
      keys[at] = below;
      at = child;
    }
    keys[at] = key;
  }
}
