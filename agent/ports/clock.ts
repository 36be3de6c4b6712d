/** Time that never goes back and counts from the machine's boot, so that a deadline outlives the agent. */
export interface Clock {
  nowMs(): number;
  /** Calls once, at that time or soon after; at once when it has passed. Answers how to take it back. */
  wakeAt(atMs: number, wake: () => void): () => void;
}
