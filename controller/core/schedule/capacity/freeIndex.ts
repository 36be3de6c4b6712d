import { assert } from '#vocabulary/assert.ts';

/**
 * Nodes by their number of free whole GPUs, for the two questions that placement asks again and again: which node has
 * the fewest free GPUs that are enough (best fit), and which node is the first with exactly so many (whole nodes). Both
 * prefer the lowest index, so that a caller who numbers nodes along the topology fills it from one end.
 *
 * For each value there is a set of nodes, kept as bits with summaries above them: a bit of a summary says that the word
 * of 32 bits below it is not empty. Finding the next member looks at two words a level, which is four levels at most for
 * a million nodes; a change of a node's value touches one word a level in two sets. All sets lie in one array, so that a
 * copy, on which a pass can try things out, is one copy of (max + 1) x nodes / 31 words.
 */
export class FreeIndex {
  readonly nodes: number;
  readonly max: number;
  readonly #values: Uint16Array;
  readonly #counts: Int32Array;
  readonly #bits: Uint32Array;
  /** Where each level of a set starts inside the set, from the nodes' own bits upwards; the last entry is a set's length. */
  readonly #levels: readonly number[];
  readonly #setLength: number;

  /** Nodes 0..nodes-1, all with value 0; values go from 0 to `max` (65,535 at most). `from` is copied. */
  constructor(nodes: number, max: number, from?: FreeIndex) {
    assert(Number.isInteger(nodes) && nodes >= 0 && Number.isInteger(max) && max >= 0 && max < 2 ** 16, 'sizes are whole and fit');
    this.nodes = nodes;
    this.max = max;
    this.#levels = levelStarts(nodes);
    this.#setLength = this.#levels.at(-1) ?? 0;
    if (from !== undefined) {
      this.#values = from.#values.slice();
      this.#counts = from.#counts.slice();
      this.#bits = from.#bits.slice();
      return;
    }
    this.#values = new Uint16Array(nodes);
    this.#counts = new Int32Array(max + 1);
    this.#counts[0] = nodes;
    this.#bits = new Uint32Array(this.#setLength * (max + 1));
    for (let node = 0; node < nodes; node += 1) this.#insert(0, node);
  }

  /** An index with the same values that can be changed on its own. */
  copy(): FreeIndex {
    return new FreeIndex(this.nodes, this.max, this);
  }

  value(node: number): number {
    return this.#values[node] ?? 0;
  }

  /** How many nodes have exactly this value. */
  count(value: number): number {
    return this.#counts[value] ?? 0;
  }

  set(node: number, value: number): void {
    // Written out, because `assert` would put its message together on every call.
    if (!(node >= 0 && node < this.nodes && value >= 0 && value <= this.max))
      throw new Error(`promise broken: node ${node} can have ${value} free`);
    const before = this.value(node);
    if (before === value) return;
    this.#remove(before, node);
    this.#counts[before] = this.count(before) - 1;
    this.#insert(value, node);
    this.#counts[value] = this.count(value) + 1;
    this.#values[node] = value;
  }

  /** The lowest node in [from, to) with exactly this value, or -1. */
  first(value: number, from = 0, to = this.nodes): number {
    if (this.count(value) === 0) return -1;
    const found = this.#next(value * this.#setLength, Math.max(from, 0));
    return found < Math.min(to, this.nodes) ? found : -1;
  }

  /** Of the nodes in [from, to) with this value or more, the lowest one among those that have the least; or -1. */
  smallestAtLeast(value: number, from = 0, to = this.nodes): number {
    for (let each = Math.max(value, 0); each <= this.max; each += 1) {
      const found = this.first(each, from, to);
      if (found >= 0) return found;
    }
    return -1;
  }

  #insert(value: number, node: number): void {
    const set = value * this.#setLength;
    let position = node;
    for (let level = 0; level + 1 < this.#levels.length; level += 1) {
      const word = set + (this.#levels[level] ?? 0) + (position >>> 5);
      const before = this.#bits[word] ?? 0;
      this.#bits[word] = before | (1 << (position & 31));
      if (before !== 0) return;
      position >>>= 5;
    }
  }

  #remove(value: number, node: number): void {
    const set = value * this.#setLength;
    let position = node;
    for (let level = 0; level + 1 < this.#levels.length; level += 1) {
      const word = set + (this.#levels[level] ?? 0) + (position >>> 5);
      const left = (this.#bits[word] ?? 0) & ~(1 << (position & 31));
      this.#bits[word] = left;
      if (left !== 0) return;
      position >>>= 5;
    }
  }

  /** The lowest member of the set that starts at `set`, not below `from`; `nodes` when there is none. */
  #next(set: number, from: number): number {
    const top = this.#levels.length - 2;
    let position = from;
    // Up, until a word has a member at or after the position ...
    for (let level = 0; level <= top; level += 1) {
      const word = position >>> 5;
      const start = this.#levels[level] ?? 0;
      if (start + word >= (this.#levels[level + 1] ?? 0)) return this.nodes;
      const rest = (this.#bits[set + start + word] ?? 0) & (-1 << (position & 31));
      if (rest !== 0) return this.#lowestBelow(set, level, word * 32 + lowestBit(rest));
      position = word + 1;
    }
    return this.nodes;
  }

  /** ... then down, always to the lowest: a bit of a summary promises a member below it. */
  #lowestBelow(set: number, level: number, position: number): number {
    let found = position;
    for (let below = level - 1; below >= 0; below -= 1)
      found = found * 32 + lowestBit(this.#bits[set + (this.#levels[below] ?? 0) + found] ?? 0);
    return found;
  }
}

/** The number of the lowest bit that is set; `word` is not 0. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Offsets of the levels of one set, each a 32nd of the one below, until a level is one word; then the total. */
function levelStarts(nodes: number): readonly number[] {
  const starts = [0];
  let words = Math.ceil(nodes / 32);
  let total = words;
  while (words > 1) {
    starts.push(total);
    words = Math.ceil(words / 32);
    total += words;
  }
  starts.push(total);
  return starts;
}
