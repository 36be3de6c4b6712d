/** Things due at whole milliseconds, those of one millisecond in the order in which they were noted. */
export class Agenda<T> {
  readonly #due = new Map<number, T[]>();
  #fromMs: number;

  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  /** Later than what was taken. */
  note(atMs: number, thing: T): void {
    const due = this.#due.get(atMs);
    if (due === undefined) this.#due.set(atMs, [thing]);
    else due.push(thing);
  }

  /** Infinity: nothing is due ever. */
  get nextMs(): number {
    if (this.#due.size === 0) return Infinity;
    let atMs = this.#fromMs;
    while (!this.#due.has(atMs)) atMs += 1;
    return atMs;
  }

  takeUntil(untilMs: number): readonly T[] {
    const taken: T[] = [];
    for (let atMs = this.nextMs; atMs <= untilMs; atMs = this.nextMs) {
      taken.push(...(this.#due.get(atMs) ?? []));
      this.#due.delete(atMs);
      this.#fromMs = atMs;
    }
    this.#fromMs = Math.max(this.#fromMs, untilMs);
    return taken;
  }
}
