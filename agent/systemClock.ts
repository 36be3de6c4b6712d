import type { Clock } from './ports/clock.ts';

/** Longest delay that setTimeout takes, in ms: 2^31 - 1. */
const timeoutMsMax = 2_147_483_647;

/** CLOCK_MONOTONIC on Linux and its like elsewhere: counts from boot, the same for every process of the machine. */
export const systemClock: Clock = {
  nowMs,
  wakeAt(atMs, wake) {
    let timer = setTimeout(onTime, delayMs());
    function delayMs(): number {
      return Math.min(timeoutMsMax, Math.max(0, Math.ceil(atMs - nowMs())));
    }
    function onTime(): void {
      if (nowMs() >= atMs) wake();
      else timer = setTimeout(onTime, delayMs());
    }
    return () => clearTimeout(timer);
  },
};

function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
