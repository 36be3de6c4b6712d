import type { Topology } from '../capacity/topology.ts';

/**
 * Numbers the workers of a gang whose nodes are chosen, so that blocks (blocks.ts) stay inside few domains. From the
 * smallest block to the largest, blocks are put together out of smaller ones, inside the deepest domain that has enough of
 * them; what is over goes to the domain around it, where pieces that complete each other are joined. Blocks and what is in
 * them then follow the tree, so that a pipeline over them leaves a domain once.
 *
 *   racks of 5, 6 and 5 places, blocks of 4     r1 aaaa.   r2 bbbb..   r3 cccc.     inside racks
 *                                               r1 aaaad   r2 bbbbdd   r3 ccccd     what is over, around them
 *
 * The answer: the place of each worker.
 */
export function arrangePlaces(topology: Topology, nodeOf: Int32Array, blocks: readonly number[]): Int32Array {
  const tree = treeOf(topology, nodeOf);
  let items: readonly Item[] = [...nodeOf.keys()]
    .sort((left, right) => (nodeOf[left] ?? 0) - (nodeOf[right] ?? 0) || left - right)
    .map((place) => ({ places: [place], depth: topology.depth }));
  let below = 1;
  for (const block of blocks) {
    items = join(items, block / below, tree);
    below = block;
  }
  return Int32Array.from(items.flatMap(({ places }) => places));
}

/** Consecutive workers. */
interface Item {
  /** In worker order; the first is the first in the tree. */
  readonly places: readonly number[];
  /** Of the deepest domain that holds all of them. */
  readonly depth: number;
}

interface Tree {
  readonly depth: number;
  readonly nodeOf: Int32Array;
  /** Domain by place x (depth + 1) + depth of the domain. */
  readonly domains: Int32Array;
}

function treeOf({ depth, levelStart, parent }: Topology, nodeOf: Int32Array): Tree {
  const width = depth + 1;
  const domains = new Int32Array(nodeOf.length * width);
  for (const [place, node] of nodeOf.entries()) {
    let domain = (levelStart[depth] ?? 0) + node;
    for (let at = depth; at >= 0; at -= 1) {
      domains[place * width + at] = domain;
      domain = parent[domain] ?? 0;
    }
  }
  return { depth, nodeOf, domains };
}

const domainOf = (tree: Tree, { places }: Item, depth: number): number => tree.domains[(places[0] ?? 0) * (tree.depth + 1) + depth] ?? 0;

/** Items that are inside one domain, and not yet of a bundle. */
type Piece = readonly Item[];

/** Items in bundles of `count`. `items`: in tree order, as the answer. */
function join(items: readonly Item[], count: number, tree: Tree): readonly Item[] {
  const joined: Item[] = [];
  let pieces: Piece[] = [];
  const byDepth = Array.from({ length: tree.depth + 1 }, (): Piece[] => []);
  for (const item of items) byDepth[item.depth]?.push([item]);
  for (let depth = tree.depth; depth >= 0; depth -= 1) {
    const here = byDepth[depth] ?? [];
    if (here.length > 0) pieces = pieces.length === 0 ? here : [...pieces, ...here].sort((one, other) => byPlace(tree, one[0], other[0]));
    pieces = bundleAt(pieces, { count, depth, tree }, joined);
  }
  return joined.sort((one, other) => byPlace(tree, one, other));
}

/** Bundles what each domain of the depth has, into `joined`; the rest of each domain is one piece. */
function bundleAt(
  pieces: readonly Piece[],
  { count, depth, tree }: { readonly count: number; readonly depth: number; readonly tree: Tree },
  joined: Item[],
): Piece[] {
  const rest: Piece[] = [];
  for (let first = 0; first < pieces.length; ) {
    const [lead] = pieces[first] ?? [];
    const domain = lead === undefined ? 0 : domainOf(tree, lead, depth);
    let end = first + 1;
    let size = pieces[first]?.length ?? 0;
    for (; end < pieces.length; end += 1) {
      const [next] = pieces[end] ?? [];
      if (next === undefined || domainOf(tree, next, depth) !== domain) break;
      size += pieces[end]?.length ?? 0;
    }
    const only = end === first + 1 ? pieces[first] : undefined;
    if (only !== undefined && size < count) rest.push(only);
    else if (size < count) rest.push(pieces.slice(first, end).flat());
    else {
      const { bundles, over } = bundle(pieces.slice(first, end), count);
      for (const members of bundles) joined.push(itemOf(members, tree));
      if (over.length > 0) rest.push(over.flat().sort((one, other) => byPlace(tree, one, other)));
    }
    first = end;
  }
  return rest;
}

function byPlace(tree: Tree, left: Item | undefined, right: Item | undefined): number {
  const [one, other] = [left?.places[0] ?? 0, right?.places[0] ?? 0];
  return (tree.nodeOf[one] ?? 0) - (tree.nodeOf[other] ?? 0) || one - other;
}

function itemOf(members: readonly Item[], tree: Tree): Item {
  const sorted = members.toSorted((one, other) => byPlace(tree, one, other));
  const [first] = sorted;
  let depth = sorted.reduce((least, item) => Math.min(least, item.depth), tree.depth);
  if (first !== undefined)
    while (depth > 0 && sorted.some((item) => domainOf(tree, item, depth) !== domainOf(tree, first, depth))) depth -= 1;
  return { places: sorted.flatMap(({ places }) => places), depth };
}

/**
 * Bundles of `count` items out of the pieces of one domain, each of as few pieces as it goes: the largest piece with one that
 * completes it, else with the largest that still fits, else with a part of the smallest.
 */
function bundle(parts: readonly Piece[], count: number): { readonly bundles: readonly Piece[]; readonly over: readonly Piece[] } {
  const bundles: Piece[] = [];
  const open = parts.map((part) => [...part]);
  for (const part of open) while (part.length >= count) bundles.push(part.splice(0, count));
  let left = open.reduce((sum, part) => sum + part.length, 0);
  open.sort((one, other) => other.length - one.length);
  while (left >= count) {
    const made = open.shift() ?? [];
    while (made.length < count) made.push(...takePiece(open, count - made.length));
    bundles.push(made);
    left -= count;
  }
  return { bundles, over: open.filter((part) => part.length > 0) };
}

/** `open`: largest first, and so it stays. */
function takePiece(open: Item[][], wanted: number): readonly Item[] {
  const fits = open.findIndex((part) => part.length <= wanted);
  if (fits >= 0) return open.splice(fits, 1)[0] ?? [];
  return open.at(-1)?.splice(0, wanted) ?? [];
}
