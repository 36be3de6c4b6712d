import type { Topology } from '../capacity/topology.ts';
import type { GangRequest } from './gangRequest.ts';
import type { Units } from './units.ts';

/** Workers on one node. */
export interface NodeShare {
  readonly node: number;
  readonly workers: number;
}

/**
 * Divides units of a domain over its nodes, in tree order below each choice, so that consecutive workers are neighbours.
 * `tight`: at each level as few children as hold them, whole ones first, and the last one is the tightest that holds the
 * rest, so that large holes live. `even`: the same children, with the units balanced over them.
 */
export function fillDomain(
  topology: Topology,
  units: Units,
  target: { readonly domain: number; readonly depth: number; readonly units: number; readonly packing: GangRequest['packing'] },
): readonly NodeShare[] {
  const shares: NodeShare[] = [];
  fill(topology, units, target, shares);
  return shares;
}

function fill(topology: Topology, units: Units, target: Parameters<typeof fillDomain>[2], shares: NodeShare[]): void {
  const { domain, depth, packing } = target;
  if (depth === topology.depth) {
    shares.push({ node: domain - (topology.levelStart[depth] ?? 0), workers: target.units * (units.size[depth] ?? 1) });
    return;
  }
  const needed = target.units * ((units.size[depth] ?? 1) / (units.size[depth + 1] ?? 1));
  const chosen = chooseChildren(units.counts, topology.firstChild[domain] ?? 0, topology.endChild[domain] ?? 0, needed);
  const divided = packing === 'even' ? balance(units.counts, chosen, needed) : chosen;
  for (const child of divided) fill(topology, units, { domain: child.domain, depth: depth + 1, units: child.units, packing }, shares);
}

export interface Part {
  readonly domain: number;
  readonly units: number;
}

/** The largest whole until one child holds the rest, then the tightest that does. Ties: the first. */
export function chooseChildren(counts: Int32Array, first: number, end: number, needed: number): readonly Part[] {
  const parts: Part[] = [];
  let rest = needed;
  const order = largestFirst(counts, first, end);
  let next = 0;
  for (; next < order.length; next += 1) {
    const child = order[next] ?? 0;
    const room = counts[child] ?? 0;
    if (room >= rest) break;
    parts.push({ domain: child, units: room });
    rest -= room;
  }
  if (rest === 0) return parts;
  let tightest = order[next] ?? -1;
  for (let at = next + 1; at < order.length && (counts[order[at] ?? 0] ?? 0) >= rest; at += 1) {
    if ((counts[order[at] ?? 0] ?? 0) < (counts[tightest] ?? 0)) tightest = order[at] ?? -1;
  }
  if (tightest >= 0) parts.push({ domain: tightest, units: rest });
  return parts;
}

/** Children with room, most room first, equal ones in order: counted into buckets, since a flat cluster has thousands. */
function largestFirst(counts: Int32Array, first: number, end: number): readonly number[] {
  const buckets = new Map<number, number[]>();
  for (let child = first; child < end; child += 1) {
    const room = counts[child] ?? 0;
    if (room === 0) continue;
    const bucket = buckets.get(room);
    if (bucket === undefined) buckets.set(room, [child]);
    else bucket.push(child);
  }
  return [...buckets].sort(([left], [right]) => right - left).flatMap(([, children]) => children);
}

/** The same children, each with its fair part of the units; what one cannot hold the larger ones take. */
function balance(counts: Int32Array, chosen: readonly Part[], needed: number): readonly Part[] {
  let [rest, left] = [needed, chosen.length];
  const given = new Map<number, number>();
  for (const { domain } of [...chosen].sort((a, b) => (counts[a.domain] ?? 0) - (counts[b.domain] ?? 0) || b.domain - a.domain)) {
    const part = Math.min(counts[domain] ?? 0, Math.floor(rest / left));
    given.set(domain, part);
    rest -= part;
    left -= 1;
  }
  return chosen
    .map(({ domain }) => ({ domain, units: given.get(domain) ?? 0 }))
    .filter((part) => part.units > 0)
    .sort((a, b) => a.domain - b.domain);
}
