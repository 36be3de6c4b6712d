/** A binary heap: the best of its items at once, however many there are. `isBetter` is a strict total order of them. */
export class BestFirst<T> {
  readonly #isBetter: (left: T, right: T) => boolean;
  readonly #items: T[] = [];

  constructor(isBetter: (left: T, right: T) => boolean) {
    this.#isBetter = isBetter;
  }

  best(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    let at = this.#items.length;
    while (at > 0) {
      const above = this.#items[(at - 1) >> 1];
      if (above === undefined || !this.#isBetter(item, above)) break;
      this.#items[at] = above;
      at = (at - 1) >> 1;
    }
    this.#items[at] = item;
  }

  removeBest(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    let at = 0;
    for (;;) {
      const child = this.#betterChild(at);
      const item = this.#items[child];
      if (item === undefined || !this.#isBetter(item, last)) break;
      this.#items[at] = item;
      at = child;
    }
    this.#items[at] = last;
  }

  /** Position of the better one of two children, perhaps beyond the end. */
  #betterChild(at: number): number {
    const left = this.#items[2 * at + 1];
    const right = this.#items[2 * at + 2];
    return left !== undefined && right !== undefined && this.#isBetter(right, left) ? 2 * at + 2 : 2 * at + 1;
  }
}
