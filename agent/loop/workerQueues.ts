/** Work in order of its asking, for each worker apart: a signal never overtakes the start that it is meant for. */
export class WorkerQueues {
  readonly #tails = new Map<string, Promise<void>>();

  /** Rejects as the work does; what follows in the queue goes on all the same. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const tail = mine.catch(() => undefined);
    this.#tails.set(key, tail);
    try {
      await mine;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** When all that has been asked for is done. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}
