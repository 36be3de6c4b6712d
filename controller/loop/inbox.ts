import type { Input, Reply } from '#core/inputs.ts';

/** Why an input was not taken. Nothing of it happened, or it is not known whether it did (`unknown`). */
export class NotTaken extends Error {
  readonly why: 'full' | 'degraded' | 'closed' | 'unknown';

  constructor(why: NotTaken['why'], message: string) {
    super(message);
    this.name = 'NotTaken';
    this.why = why;
  }
}

export interface Entry {
  readonly input: Input;
  readonly settle: (reply: Reply) => void;
  readonly fail: (error: NotTaken) => void;
}

/** The one queue of all that happens. Bounded: a full inbox refuses at once instead of growing. */
export class Inbox {
  readonly #entries: Entry[] = [];
  readonly #max: number;
  #wake: (() => void) | null = null;
  #refusal: NotTaken | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves when the input's events are durable. */
  offer(input: Input): Promise<Reply> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    if (this.#entries.length >= this.#max)
      return Promise.reject(new NotTaken('full', `${this.#max} requests are waiting already; try again`));
    return new Promise((settle, fail) => {
      this.#entries.push({ input, settle, fail });
      this.#wake?.();
    });
  }

  /** Up to `max` entries, oldest first; empty when there are none. */
  take(max: number): readonly Entry[] {
    return this.#entries.splice(0, max);
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Resolves when there is an entry or somebody called `wake`. */
  wait(): Promise<void> {
    if (this.#entries.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }

  wake(): void {
    this.#wake?.();
  }

  /** Refuses everything, waiting entries too, until `reopen`. */
  refuse(refusal: NotTaken): void {
    this.#refusal = refusal;
    for (const entry of this.#entries.splice(0)) entry.fail(refusal);
  }

  reopen(): void {
    this.#refusal = null;
  }

  get refusal(): NotTaken | null {
    return this.#refusal;
  }
}
