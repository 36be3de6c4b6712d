import type { Ground } from './ground.ts';
import type { Prediction } from './predictCost.ts';
import { predictCost } from './predictCost.ts';
import { shuffler } from './shuffler.ts';
import type { AxisTraffic } from './traffic.ts';

/** Steps of the cost model that a search may take, in places looked at: about a millisecond, whatever the size of the gang. */
const effortMax = 40_000;
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
 * Hill climbing: blocks of each size, largest first, then single workers change places, of few workers also three at a time, as long
 * as that is better. It ends when no exchange helps or the effort is spent. Small gangs climb from some shuffled orders too, as the nearest
 * top may not be the highest one.
 */
export function improveOrder(ground: Ground, axes: readonly AxisTraffic[], start: Arranged, search: Search): Arranged {
  const effort = { left: Math.floor(effortMax / effortOf(ground, axes)) };
  if (effort.left < predictionsMin) return start;
  let best = climb(ground, axes, { start, search, effort });
  if (!search.mayShuffle || ground.places > fewPlaces) return best;
  const nextOrder = shuffler(ground.places);
  for (let turn = 0; turn < shuffledStarts && effort.left > 0; turn += 1) {
    const order = nextOrder();
    const found = climb(ground, axes, { start: { order, prediction: predictCost(ground, axes, order) }, search, effort });
    if (isBetter(found.prediction, best.prediction)) best = found;
  }
  return best;
}

export interface Search {
  readonly blocks: readonly number[];
  /** Of two places, whether the user's segments allow that they are exchanged. */
  readonly maySwap: (left: number, right: number) => boolean;
  /** There are no segments: any order will do. */
  readonly mayShuffle: boolean;
}

interface Climb {
  readonly start: Arranged;
  readonly search: Search;
  /** Predictions. */
  readonly effort: { left: number };
}

function climb(ground: Ground, axes: readonly AxisTraffic[], { start, search, effort }: Climb): Arranged {
  let best = start;
  for (let round = 0; round < roundsMax; round += 1) {
    const before = best;
    for (const move of movesOf(ground.places, [...search.blocks.toReversed(), 1])) {
      if (effort.left === 0) return best;
      if (!isAllowed(ground, best.order, move, search.maySwap)) continue;
      const order = moved(best.order, move);
      const prediction = predictCost(ground, axes, order);
      effort.left -= 1;
      if (isBetter(prediction, best.prediction)) best = { order, prediction };
    }
    if (best === before) break;
  }
  return best;
}

const roundsMax = 8;
/** Of so many workers three change places at a time too, and shuffled orders are begun with. */
const fewPlaces = 12;
const shuffledStarts = 4;

/** Runs of workers of one size: each takes the place of the next, the last that of the first. */
interface Move {
  readonly firsts: readonly number[];
  readonly size: number;
}

function* movesOf(places: number, sizes: readonly number[]): Generator<Move> {
  for (const size of sizes) {
    for (let one = 0; one + size < places; one += size)
      for (let other = one + size; other < places; other += size) yield { firsts: [one, other], size };
  }
  if (places > fewPlaces) return;
  for (let one = 0; one < places; one += 1) {
    for (let other = one + 1; other < places; other += 1) {
      for (let third = other + 1; third < places; third += 1) {
        yield { firsts: [one, other, third], size: 1 };
        yield { firsts: [one, third, other], size: 1 };
      }
    }
  }
}

/** Something changes by it: workers of one node are alike. */
function isAllowed(ground: Ground, order: Int32Array, { firsts, size }: Move, maySwap: (left: number, right: number) => boolean): boolean {
  let differs = false;
  for (const [at, first] of firsts.entries()) {
    const next = firsts[(at + 1) % firsts.length] ?? first;
    for (let worker = 0; worker < size; worker += 1) {
      const [here, there] = [order[first + worker] ?? 0, order[next + worker] ?? 0];
      if (!maySwap(here, there)) return false;
      if (ground.nodeOf[here] !== ground.nodeOf[there]) differs = true;
    }
  }
  return differs;
}

function moved(order: Int32Array, { firsts, size }: Move): Int32Array {
  const next = order.slice();
  for (const [at, first] of firsts.entries()) {
    const from = firsts[(at + 1) % firsts.length] ?? first;
    next.set(order.subarray(from, from + size), first);
  }
  return next;
}
