/** Virtual time, as agents and programs see it. */
export interface Clock {
  /** Milliseconds from the start of the scenario. */
  nowMs(): number;
  /** Runs it at that time, or now when that is over. */
  at(atMs: number, run: () => void): void;
}
