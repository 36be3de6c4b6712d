import type { Ground } from './ground.ts';
import type { Prediction } from './predictCost.ts';
import { predictCost } from './predictCost.ts';
import type { AxisTraffic } from './traffic.ts';

/** Steps of the cost model that a search may take, in places looked at: some two milliseconds, whatever the size of the gang. */
const effortMax = 100_000;
/** A search with fewer predictions finds nothing that the order by blocks has not found. */
const predictionsMin = 40;

export interface Arranged {
  /** Which place has worker n. */
  readonly order: Int32Array;
  readonly prediction: Prediction;
}

/** Less wire time; between equals, less traffic on slow links. */
export function isBetter(one: Prediction, other: Prediction): boolean {
  const close = other.seconds * 1e-9;
  if (one.seconds < other.seconds - close) return true;
  return one.seconds <= other.seconds + close && one.pressure < other.pressure * (1 - 1e-9);
}

/** What one prediction costs, in places looked at. */
const effortOf = (ground: Ground, axes: readonly AxisTraffic[]): number =>
  Math.max(1, ground.places * Math.max(1, ground.layers.length) * Math.max(1, axes.length));

/**
 * Hill climbing: blocks of each size, largest first, then single workers, change places as long as that is better. It ends
 * when no exchange helps or the effort is spent. `maySwap`: of two workers, whether the user's segments allow it.
 */
export function improveOrder(
  ground: Ground,
  axes: readonly AxisTraffic[],
  start: Arranged,
  search: { readonly blocks: readonly number[]; readonly maySwap: (left: number, right: number) => boolean },
): Arranged {
  const sizes = [...search.blocks.toReversed(), 1];
  let left = Math.floor(effortMax / effortOf(ground, axes));
  if (left < predictionsMin) return start;
  let best = start;
  for (let round = 0; left > 0 && round < 8; round += 1) {
    const before = best;
    for (const size of sizes) {
      for (let one = 0; one + size < ground.places && left > 0; one += size) {
        for (let other = one + size; other < ground.places && left > 0; other += size) {
          if (!canSwap(ground, best.order, { one, other, size }, search.maySwap)) continue;
          const order = swapped(best.order, { one, other, size });
          const prediction = predictCost(ground, axes, order);
          left -= 1;
          if (isBetter(prediction, best.prediction)) best = { order, prediction };
        }
      }
    }
    if (best === before) break;
  }
  return best;
}

interface Swap {
  readonly one: number;
  readonly other: number;
  readonly size: number;
}

/** Workers of one node are alike. */
function canSwap(
  ground: Ground,
  order: Int32Array,
  { one, other, size }: Swap,
  maySwap: (left: number, right: number) => boolean,
): boolean {
  const nodeAt = (worker: number): number => ground.nodeOf[order[worker] ?? 0] ?? -1;
  let differs = false;
  for (let at = 0; at < size; at += 1) {
    if (!maySwap(order[one + at] ?? 0, order[other + at] ?? 0)) return false;
    if (nodeAt(one + at) !== nodeAt(other + at)) differs = true;
  }
  return differs;
}

function swapped(order: Int32Array, { one, other, size }: Swap): Int32Array {
  const next = order.slice();
  next.set(order.subarray(other, other + size), one);
  next.set(order.subarray(one, one + size), other);
  return next;
}
