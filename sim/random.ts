/** A seeded stream of numbers (mulberry32): the same seed gives the same history. One stream for each purpose. */
export interface Random {
  /** 0 ≤ x < 1. */
  next(): number;
  /** 0 ≤ n < below. */
  below(below: number): number;
  /** Exponentially distributed with this mean, at least 1, rounded to an integer. */
  exponential(mean: number): number;
  chance(probability: number): boolean;
  /** undefined: there are none. */
  pick<T>(items: readonly T[]): T | undefined;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    exponential: (mean) => Math.max(1, Math.round(-mean * Math.log(1 - next()))),
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)],
  };
}

/** A seed of a text (FNV-1a): streams of one scenario that do not depend on each other, nor on what else is in it. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
