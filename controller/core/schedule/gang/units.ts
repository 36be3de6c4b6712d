import type { Topology } from '../capacity/topology.ts';
import type { GangRequest, WorkerGroup } from './gangRequest.ts';

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
  /** Workers of one unit of a domain, by depth. */
  readonly size: readonly number[];
}

export function countUnits(topology: Topology, workers: Int32Array, group: WorkerGroup, spread: GangRequest['spread']): Units {
  const size = unitSizes(topology.depth, group);
  if (group.segments.length === 0 && spread === null) return { counts: workers, size };
  const counts = new Int32Array(workers.length);
  counts.set(workers.subarray(topology.levelStart[topology.depth] ?? 0), topology.levelStart[topology.depth] ?? 0);
  for (let depth = topology.depth; depth >= 0; depth -= 1) {
    const [first, end] = [topology.levelStart[depth] ?? 0, topology.levelStart[depth + 1] ?? 0];
    if (depth < topology.depth) {
      const ratio = (size[depth] ?? 1) / (size[depth + 1] ?? 1);
      for (let domain = first; domain < end; domain += 1) {
        let sum = 0;
        for (let child = topology.firstChild[domain] ?? 0; child < (topology.endChild[domain] ?? 0); child += 1) sum += counts[child] ?? 0;
        counts[domain] = Math.floor(sum / ratio);
      }
    }
    // Also below that level: a gang that is inside one node has all its workers in one domain of it.
    if (spread === null || depth < spread.depth) continue;
    const most = Math.floor(spread.max / (size[depth] ?? 1));
    for (let domain = first; domain < end; domain += 1) counts[domain] = Math.min(counts[domain] ?? 0, most);
  }
  return { counts, size };
}

/** By depth: the outermost segment that must be whole inside one domain of this depth or of one above it. */
function unitSizes(depths: number, group: WorkerGroup): readonly number[] {
  return Array.from({ length: depths + 1 }, (_, depth) => group.segments.find((segment) => segment.depth >= depth)?.workers ?? 1);
}
