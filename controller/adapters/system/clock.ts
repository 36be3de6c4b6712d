import type { Clock } from '../../ports/clock.ts';

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  every: (periodMs, fn, signal) => {
    if (signal.aborted) return;
    const timer = setInterval(fn, periodMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  },
};
