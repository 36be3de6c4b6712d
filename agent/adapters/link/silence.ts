import type { Clock } from '../../ports/clock.ts';

/** Watches that something is heard at least every so often; calls once when it is not. */
export class Silence {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #limitMs: number;
  #heardAtMs: number;
  #over = false;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, limitMs: number, onSilence: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
    this.#heardAtMs = clock.nowMs();
    this.#arm();
  }

  /** Cheap: the timer is moved only when it goes off. */
  heard(): void {
    this.#heardAtMs = this.#clock.nowMs();
  }

  setLimit(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#arm();
  }

  limitMs(): number {
    return this.#limitMs;
  }

  isOver(): boolean {
    return this.#over;
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#cancel();
    this.#cancel = this.#clock.wakeAt(this.#heardAtMs + this.#limitMs, () => {
      if (this.#clock.nowMs() < this.#heardAtMs + this.#limitMs) return this.#arm();
      this.#over = true;
      this.#onSilence();
    });
  }
}
