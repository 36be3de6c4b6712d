import type { Clock } from '../ports/clock.ts';

export interface ManualClock extends Clock {
  /** Moves on and calls what became due, in order. */
  advance(ms: number): void;
  /** How many calls are waited for. */
  waiting(): number;
}

export function createManualClock(): ManualClock {
  let nowMs = 1000;
  const waits = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  return {
    nowMs: () => nowMs,
    waiting: () => waits.size,
    wakeAt(atMs, wake) {
      const wait = { atMs, wake };
      waits.add(wait);
      if (atMs <= nowMs) queueMicrotask(() => waits.delete(wait) && wake());
      return () => waits.delete(wait);
    },
    advance(ms) {
      nowMs += ms;
      for (const wait of [...waits].sort((a, b) => a.atMs - b.atMs)) if (wait.atMs <= nowMs && waits.delete(wait)) wait.wake();
    },
  };
}
