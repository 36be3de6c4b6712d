import type { Clock } from '#controller/ports/clock.ts';

interface Timer {
  readonly periodMs: number;
  readonly fn: () => void;
  dueMs: number;
}

/** Time that passes when the test says so. Timers are called in the order in which they are due. */
export class ManualClock implements Clock {
  readonly #startMs = 1_800_000_000_000;
  readonly #timers = new Set<Timer>();
  #passedMs = 0;

  nowMs(): number {
    return this.#startMs + this.#passedMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  every(periodMs: number, fn: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const timer = { periodMs, fn, dueMs: this.#passedMs + periodMs };
    this.#timers.add(timer);
    signal.addEventListener('abort', () => this.#timers.delete(timer), { once: true });
  }

  /** Timers that nobody has ended. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Time passes, and every timer that is due meanwhile is called and what it started is done before the next one. */
  async pass(ms: number): Promise<void> {
    // What was begun before may still have to ask for its timer.
    await settled();
    const endMs = this.#passedMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.dueMs <= endMs).sort((left, right) => left.dueMs - right.dueMs);
      if (next === undefined) break;
      this.#passedMs = Math.max(this.#passedMs, next.dueMs);
      next.dueMs += next.periodMs;
      next.fn();
      await settled();
    }
    this.#passedMs = endMs;
    await settled();
  }

  /** The process was stopped: time went on, no timer was called. */
  jump(ms: number): void {
    this.#passedMs += ms;
    for (const timer of this.#timers) timer.dueMs = Math.max(timer.dueMs, this.#passedMs);
  }
}

/** Resolves when everything that needs no clock and no I/O is done. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
