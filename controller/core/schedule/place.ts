import type { NodeName } from '#vocabulary/ids.ts';
import type { Placement, WorkerPlace } from '#vocabulary/job.ts';
import type { StateView } from '../state/view.ts';
import type { Domain, FreeTree, WorkerShape } from './freeTree.ts';
import { addSlots, isFree, takeGpus, takesWork } from './freeTree.ts';

/**
 * A place for a whole gang, or none.
 *
 * The tightest domain that holds the gang is taken: one node before several, one rack before two; among equals the one
 * with the least room, so that big holes live, then by name. Inside it, the same rule goes down the tree: the smallest
 * child that holds the rest, else the largest child whole and on with the rest. After a fault, workers whose place is
 * sound keep it and only the others move, inside the tightest domain around all of them.
 */
export interface GangRequest {
  readonly workers: number;
  readonly shape: WorkerShape;
  /** The gang must be inside one domain of this depth or deeper; 0: anywhere. */
  readonly requiredDepth: number;
  /** By worker: where it stood before the fault; empty: all are placed anew. */
  readonly keep: readonly WorkerPlace[];
}

export function findPlacement(state: StateView, tree: FreeTree, request: GangRequest): Placement | null {
  const kept = request.keep.map((place) => (isSound(state, request.shape, place) ? place : null));
  if (kept.some((place) => place !== null)) {
    const placement = placeAround(state, tree, request, kept);
    if (placement !== null) return placement;
  }
  return placeAround(
    state,
    tree,
    request,
    Array.from({ length: request.workers }, () => null),
  );
}

function placeAround(state: StateView, tree: FreeTree, request: GangRequest, kept: readonly (WorkerPlace | null)[]): Placement | null {
  const missing = kept.filter((place) => place === null).length;
  const held = countKept(kept);
  // Kept workers take room of their own nodes; the tree gets it back below whatever comes of this.
  const returned = [...held].map(([node, count]) => lower(tree, node, count));
  try {
    const domain = findDomain(tree, request.requiredDepth, missing, [...held.keys()]);
    return domain === null ? null : merge(state, request.shape, kept, fill(domain, missing));
  } finally {
    for (const giveBack of returned) giveBack();
  }
}

function countKept(kept: readonly (WorkerPlace | null)[]): Map<NodeName, number> {
  const held = new Map<NodeName, number>();
  for (const place of kept) if (place !== null) held.set(place.node, (held.get(place.node) ?? 0) + 1);
  return held;
}

function lower(tree: FreeTree, node: NodeName, count: number): () => void {
  const leaf = tree.leaves.get(node);
  if (leaf === undefined) return () => undefined;
  const taken = Math.min(count, leaf.slots);
  addSlots(leaf, -taken);
  return () => addSlots(leaf, taken);
}

/** The tightest domain with room that contains all of `around`. */
function findDomain(tree: FreeTree, requiredDepth: number, workers: number, around: readonly NodeName[]): Domain | null {
  for (let depth = tree.byDepth.length - 1; depth >= requiredDepth; depth -= 1) {
    let best: Domain | null = null;
    for (const domain of tree.byDepth[depth] ?? []) {
      if (domain.slots < workers || (best !== null && domain.slots >= best.slots)) continue;
      if (around.every((node) => contains(domain, tree.leaves.get(node)))) best = domain;
    }
    if (best !== null) return best;
  }
  return null;
}

function contains(domain: Domain, leaf: Domain | undefined): boolean {
  for (let at: Domain | null = leaf ?? null; at !== null; at = at.parent) if (at === domain) return true;
  return false;
}

/** Workers a node, for `workers` workers inside a domain that has room for them. */
function fill(domain: Domain, workers: number): readonly { readonly node: NodeName; readonly workers: number }[] {
  if (workers === 0) return [];
  if (domain.node !== null) return [{ node: domain.node, workers }];
  const children = domain.children.filter((child) => child.slots > 0);
  const shares: { readonly node: NodeName; readonly workers: number }[] = [];
  let rest = workers;
  while (rest > 0) {
    const next = chooseChild(children, rest);
    if (next === undefined) break;
    children.splice(children.indexOf(next), 1);
    const share = Math.min(rest, next.slots);
    shares.push(...fill(next, share));
    rest -= share;
  }
  return shares;
}

/** The smallest that holds all of the rest, else the largest. */
function chooseChild(children: readonly Domain[], rest: number): Domain | undefined {
  let smallestFit: Domain | undefined;
  let largest: Domain | undefined;
  for (const child of children) {
    if (child.slots >= rest && (smallestFit === undefined || child.slots < smallestFit.slots)) smallestFit = child;
    if (largest === undefined || child.slots > largest.slots) largest = child;
  }
  return smallestFit ?? largest;
}

function merge(state: StateView, shape: WorkerShape, kept: readonly (WorkerPlace | null)[], shares: ReturnType<typeof fill>): Placement {
  const taken = new Map<NodeName, Set<number>>();
  for (const place of kept) if (place !== null) taken.set(place.node, new Set([...(taken.get(place.node) ?? []), ...place.gpus]));
  const fresh = shares.flatMap((share) => {
    const node = state.nodes.get(share.node);
    if (node === undefined) return [];
    return takeGpus(node, shape, share.workers, taken.get(share.node) ?? new Set());
  });
  return kept.flatMap((place) => {
    const next = place ?? fresh.shift();
    return next === undefined ? [] : [next];
  });
}

/** The node takes work, and the very GPUs are of the model, healthy and free. */
function isSound(state: StateView, shape: WorkerShape, place: WorkerPlace): boolean {
  const node = state.nodes.get(place.node);
  return (
    node !== undefined &&
    takesWork(node) &&
    place.gpus.every((index) => node.inventory.gpus.some((gpu) => gpu.index === index && isFree(node, gpu, shape.model)))
  );
}
