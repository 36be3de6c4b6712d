import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { GangRequest, Spot, WorkerGroup } from './gangRequest.ts';

/**
 * Segments turn workers into larger units. Below the innermost segment's level a domain is counted in workers; at that
 * level only whole segments count, so its workers are divided by the segment's size and rounded down once; above it,
 * segments are added up, until the next outer segment divides again. What a domain can host is then one number, and a
 * gang fits exactly where that number reaches what it needs (two-phase counting as in Kueue's topology-aware
 * scheduling, KEP-2724, with nesting).
 */
export interface Units {
  /** Units that fit, by domain. */
  readonly counts: Int32Array;
  /** Workers of one unit of a domain, by depth; 1 where nothing is said. */
  readonly size: readonly number[];
}

/**
 * The same from single workers, where `before` says which places of the spread are taken by workers of the gang's groups
 * before this one: O(domains). Without them the counts are kept (capacity/slotCounts.ts).
 */
export function countUnits(
  topology: Topology,
  workers: Int32Array,
  {
    group,
    spread,
    before,
  }: { readonly group: WorkerGroup; readonly spread: NonNullable<GangRequest['spread']>; readonly before: readonly Spot[] },
): Units {
  const size = unitSizes(topology.depth, group);
  const counts = new Int32Array(workers.length);
  const taken = takenByDomain(topology, before, spread.depth);
  for (let depth = topology.depth; depth >= 0; depth -= 1) {
    const [first, end] = [topology.levelStart[depth] ?? 0, topology.levelStart[depth + 1] ?? 0];
    if (depth === topology.depth) {
      // A segment may have to be whole inside one node.
      for (let node = first; node < end; node += 1) counts[node] = Math.floor((workers[node] ?? 0) / (size[depth] ?? 1));
    } else {
      const ratio = (size[depth] ?? 1) / (size[depth + 1] ?? 1);
      for (let domain = first; domain < end; domain += 1) {
        let sum = 0;
        for (let child = topology.firstChild[domain] ?? 0; child < (topology.endChild[domain] ?? 0); child += 1) sum += counts[child] ?? 0;
        counts[domain] = Math.floor(sum / ratio);
      }
    }
    // Below its level too: a rack that takes four of the gang has no node that takes five.
    if (depth < spread.depth) continue;
    for (let domain = first; domain < end; domain += 1) {
      const left = spread.max - (taken[ancestorAt(topology, domain, depth - spread.depth)] ?? 0);
      counts[domain] = Math.min(counts[domain] ?? 0, Math.floor(left / (size[depth] ?? 1)));
    }
  }
  return { counts, size };
}

function takenByDomain(topology: Topology, spots: readonly Spot[], depth: number): Int32Array {
  const taken = new Int32Array(topology.parent.length);
  for (const { node } of spots) {
    const domain = domainAbove(topology, node, depth);
    taken[domain] = (taken[domain] ?? 0) + 1;
  }
  return taken;
}

function ancestorAt(topology: Topology, domain: number, levels: number): number {
  let above = domain;
  for (let level = 0; level < levels; level += 1) above = topology.parent[above] ?? 0;
  return above;
}

/** No depth has a size of its own. */
const singleWorkers: readonly number[] = [];

/** Workers of one unit, 1 where nothing is said, by depth: the outermost segment that must be whole inside one domain of this depth or of one above it. */
export function unitSizes(depths: number, group: WorkerGroup): readonly number[] {
  if (group.segments.length === 0) return singleWorkers;
  const sizes: number[] = [];
  for (let depth = 0; depth <= depths; depth += 1) sizes.push(group.segments.find((segment) => segment.depth >= depth)?.workers ?? 1);
  return sizes;
}
