const backoffFirstMs = 100;
const backoffMaxMs = 5000;

/**
 * How long to wait before the next try, after `failures` ≥ 1 in a row: uniform between 0 and a bound that doubles from
 * 100 ms to 5 s. Full jitter, so that a thousand agents that lost one controller do not come back together.
 *
 * @param random uniform in [0, 1)
 */
export function backoffMs(failures: number, random: number): number {
  const boundMs = Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(failures - 1, 16));
  return Math.floor(random * (boundMs + 1));
}
