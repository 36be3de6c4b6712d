import type { Ground } from './ground.ts';
import { predictCost } from './predictCost.ts';
import { shuffler } from './shuffler.ts';
import type { AxisTraffic } from './traffic.ts';

const shuffles = 3;

/** Seconds a step with the workers in random order, the mean of a few. */
export function randomSeconds(ground: Ground, axes: readonly AxisTraffic[]): number {
  const nextOrder = shuffler(ground.places);
  if (ground.layers.length === 0) return predictCost(ground, axes, nextOrder()).seconds;
  let seconds = 0;
  for (let turn = 0; turn < shuffles; turn += 1) seconds += predictCost(ground, axes, nextOrder()).seconds / shuffles;
  return seconds;
}
