/**
 * What changed, in order, for readers that keep something in step and each come back in their own time: a reader
 * remembers the position up to which it has read. Bounded: of old changes nothing is kept, and a reader that asks for
 * them looks at everything instead.
 */
export class ChangeList<T> {
  readonly #max: number;
  #changes: T[] = [];
  /** Changes that are kept no more. */
  #forgotten = 0;

  /** `max`: changes that are kept at most, 1 or more. */
  constructor(max: number) {
    this.#max = max;
  }

  note(change: T): void {
    // All at once: dropping one at a time would move the whole list for each.
    if (this.#changes.length >= this.#max) {
      this.#forgotten += this.#changes.length;
      this.#changes = [];
    }
    this.#changes.push(change);
  }

  /** Changes noted so far: the position of a reader that has read all. */
  get end(): number {
    return this.#forgotten + this.#changes.length;
  }

  /** What was noted after this position, perhaps repeated; null: not kept any more. */
  since(position: number): readonly T[] | null {
    return position < this.#forgotten ? null : this.#changes.slice(position - this.#forgotten);
  }
}
