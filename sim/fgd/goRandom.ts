import { assert } from '#vocabulary/assert.ts';
import { goRandomTable } from './goRandomTable.ts';

/**
 * Go's math/rand with a seed, number for number, so that our runs see the pods in the order of the published ones.
 *
 * An additive lagged Fibonacci generator: x(n) = x(n-607) + x(n-273) modulo 2^64, seeded by a Lehmer generator laid over a
 * fixed table. Source: Go's src/math/rand/rng.go and rand.go (Mitchell and Reeds). Not for secrets.
 */
const length = 607;
const tap = 273;
const lehmerModulus = 2 ** 31 - 1;

export class GoRandom {
  readonly #state: BigUint64Array;
  #tap = 0;
  #feed = length - tap;

  /** `seed`: 0..2^31 - 2. */
  constructor(seed: number) {
    assert(Number.isInteger(seed) && seed >= 0 && seed < lehmerModulus, `seed ${seed} is not an integer in 0..2^31 - 2`);
    this.#state = seedState(seed);
  }

  /** 0..2^63 - 1 (Go's Int63, and Int on 64-bit machines). */
  int63(): bigint {
    this.#tap = this.#tap === 0 ? length - 1 : this.#tap - 1;
    this.#feed = this.#feed === 0 ? length - 1 : this.#feed - 1;
    const sum = BigInt.asUintN(64, (this.#state[this.#feed] ?? 0n) + (this.#state[this.#tap] ?? 0n));
    this.#state[this.#feed] = sum;
    return BigInt.asUintN(63, sum);
  }

  /** 0..below - 1 (Go's Intn, for `below` up to 2^31 - 1). */
  intn(below: number): number {
    if ((below & (below - 1)) === 0) return this.#int31() & (below - 1);
    const max = 2 ** 31 - 1 - (2 ** 31 % below);
    let value = this.#int31();
    while (value > max) value = this.#int31();
    return value % below;
  }

  /** In place (Go's Shuffle, which draws by another way than Intn). */
  shuffle<T>(items: T[]): void {
    for (let last = items.length - 1; last > 0; last -= 1) swap(items, last, this.#shuffleIndex(last + 1));
  }

  #shuffleIndex(below: number): number {
    const wide = BigInt(below);
    const least = (2n ** 32n - wide) % wide;
    let product = this.#uint32() * wide;
    while (BigInt.asUintN(32, product) < least) product = this.#uint32() * wide;
    return Number(product >> 32n);
  }

  #int31(): number {
    return Number(this.int63() >> 32n);
  }

  #uint32(): bigint {
    return this.int63() >> 31n;
  }
}

function swap<T>(items: T[], one: number, other: number): void {
  const [a, b] = [items[one], items[other]];
  if (a === undefined || b === undefined) return;
  items[one] = b;
  items[other] = a;
}

function seedState(seed: number): BigUint64Array {
  const bytes = Buffer.from(goRandomTable, 'base64');
  const state = new BigUint64Array(length);
  let x = seed === 0 ? 89_482_311 : seed;
  for (let skipped = 0; skipped < 20; skipped += 1) x = stepLehmer(x);
  for (let index = 0; index < length; index += 1) {
    let value = bytes.readBigUInt64LE(8 * index);
    for (const shift of [40n, 20n, 0n]) {
      x = stepLehmer(x);
      value ^= BigInt(x) << shift;
    }
    state[index] = value;
  }
  return state;
}

/** 48271 x modulo 2^31 - 1: below 2^53, so a double holds it. */
function stepLehmer(x: number): number {
  return (x * 48_271) % lehmerModulus;
}
