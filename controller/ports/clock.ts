/** Time, so that tests and the simulator can bring their own. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Never goes back; for durations only. */
  monotonicMs(): number;
  /** Calls `fn` every period until the signal aborts. */
  every(periodMs: number, fn: () => void, signal: AbortSignal): void;
}
