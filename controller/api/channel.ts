/**
 * A bounded queue between writers that come and go and one reader: how answers of several sources become one stream.
 * A writer waits while it is full, so a slow reader slows the sources down instead of filling the memory.
 */
export class Channel<T> {
  readonly #items: T[] = [];
  readonly #max: number;
  readonly #writers: (() => void)[] = [];
  #reader: (() => void) | null = null;
  #closed = false;
  #error: Error | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves when there is room for the next one; false: the reader has gone. */
  async write(item: T): Promise<boolean> {
    if (this.#closed) return false;
    this.#items.push(item);
    this.#wakeReader();
    if (this.#items.length >= this.#max) await new Promise<void>((resolve) => this.#writers.push(resolve));
    return !this.#closed;
  }

  /** For writers that cannot wait: closes the channel with an error when it is full. */
  offer(item: T, whenFull: () => Error): void {
    if (this.#closed) return;
    if (this.#items.length >= this.#max) {
      this.close(whenFull());
      return;
    }
    this.#items.push(item);
    this.#wakeReader();
  }

  /** What was written is still read; then the reader ends, or fails with the error. */
  close(error: Error | null = null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#wakeReader();
    for (const wake of this.#writers.splice(0)) wake();
  }

  async *read(signal: AbortSignal): AsyncGenerator<T> {
    const stop = (): void => this.close();
    signal.addEventListener('abort', stop);
    // One that is over already says so to nobody.
    if (signal.aborted) stop();
    try {
      for (;;) {
        while (this.#items.length > 0) {
          const [item] = this.#items.splice(0, 1);
          this.#writers.shift()?.();
          if (item !== undefined) yield item;
        }
        if (this.#closed) break;
        await new Promise<void>((resolve) => {
          this.#reader = resolve;
        });
      }
      if (this.#error !== null) throw this.#error;
    } finally {
      signal.removeEventListener('abort', stop);
      this.close();
    }
  }

  #wakeReader(): void {
    const wake = this.#reader;
    this.#reader = null;
    wake?.();
  }
}
