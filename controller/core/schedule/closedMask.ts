import type { NodeName } from '#vocabulary/ids.ts';
import type { Capacity } from './capacity/capacity.ts';
import type { AllowedNodes } from './gang/gangRequest.ts';

/** Masks that are kept of one capacity, in bytes: jobs differ in which reservations are open to them. */
const maskBytesMax = 16 * 2 ** 20;

interface Drawn {
  readonly masks: Map<string, AllowedNodes>;
  /** Of all that were ever drawn: a key never stands for another mask. */
  count: number;
}

const drawn = new WeakMap<Capacity, Drawn>();

/**
 * A mask of reserved nodes, made once: `inside` is what it says of them, of all others the contrary. `what` says of which
 * reservations, as of when. Its key is short, since every waiting job is told apart by it.
 */
export function drawMask(
  capacity: Capacity,
  what: string,
  { nodes, inside }: { readonly nodes: () => readonly NodeName[]; readonly inside: 0 | 1 },
): AllowedNodes {
  const known = drawn.get(capacity) ?? { masks: new Map<string, AllowedNodes>(), count: 0 };
  drawn.set(capacity, known);
  const name = `${inside} ${what}`;
  const found = known.masks.get(name);
  if (found !== undefined) return found;
  const mask = new Uint8Array(capacity.nodes).fill(1 - inside);
  for (const node of nodes()) {
    const number = capacity.topology.numberOf.get(node);
    if (number !== undefined) mask[number] = inside;
  }
  if ((known.masks.size + 1) * capacity.nodes > maskBytesMax) known.masks.clear();
  known.count += 1;
  const allowed = { key: `reserved ${known.count}`, mask };
  known.masks.set(name, allowed);
  return allowed;
}

/** Nodes of both; null: all. */
export function bothAllow(left: AllowedNodes | null, right: AllowedNodes | null): AllowedNodes | null {
  if (left === null || right === null) return left ?? right;
  return { key: `${left.key} & ${right.key}`, mask: left.mask.map((allowed, node) => allowed & (right.mask[node] ?? 0)) };
}
