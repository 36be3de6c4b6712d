import type { Ground } from './ground.ts';
import { predictCost } from './predictCost.ts';
import type { AxisTraffic } from './traffic.ts';

const shuffles = 3;

/**
 * Seconds a step with the workers in random order, the mean of a few. The sequence is fixed (the 32-bit generator of Numerical Recipes): a decision
 * has no other randomness than its inputs.
 */
export function randomSeconds(ground: Ground, axes: readonly AxisTraffic[]): number {
  const order = Int32Array.from({ length: ground.places }, (_, place) => place);
  if (ground.layers.length === 0) return predictCost(ground, axes, order).seconds;
  let seed = 1;
  let seconds = 0;
  for (let turn = 0; turn < shuffles; turn += 1) {
    for (let at = order.length - 1; at > 0; at -= 1) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      const other = Math.floor((seed / 2 ** 32) * (at + 1));
      [order[at], order[other]] = [order[other] ?? 0, order[at] ?? 0];
    }
    seconds += predictCost(ground, axes, order).seconds / shuffles;
  }
  return seconds;
}
