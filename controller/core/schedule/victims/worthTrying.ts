import type { Room } from '../capacity/room.ts';
import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { DomainAt } from '../gang/findPlacement.ts';
import { withEmptyDomains } from '../gang/exclusive.ts';
import { unitsOf } from '../gang/findPlacement.ts';
import type { GangRequest } from '../gang/gangRequest.ts';
import type { Evictable } from './evictable.ts';

/** Domains of one depth that are tried: those that look cheapest. */
const triesPerDepth = 4;

/**
 * Called with everybody gone who may be asked: which domains would then hold the gang, a few of each depth. They are
 * ranked by an estimate: what the evictable in them cost, times the part of their room that would be needed. `restore`
 * brings everybody back, so that the room of now can be read too.
 */
export function domainsWorthTrying(
  room: Room,
  request: GangRequest,
  evictable: readonly Evictable[],
  restore: () => void,
): readonly DomainAt[] {
  const { topology } = room.capacity;
  const empty = withEmptyDomains(room.capacity, request);
  const emptied = request.groups.map((group) => {
    const { counts, size } = unitsOf(room, empty, group);
    return { group, counts: counts.slice(), size };
  });
  restore();
  const [first] = request.groups;
  const now = first === undefined ? new Int32Array(0) : unitsOf(room, withEmptyDomains(room.capacity, request), first).counts;
  const costs = costsByDomain(topology, evictable);
  const domains: DomainAt[] = [];
  for (let depth = topology.depth; depth >= request.requiredDepth; depth -= 1) {
    const level: (DomainAt & { readonly estimate: number })[] = [];
    for (let domain = topology.levelStart[depth] ?? 0; domain < (topology.levelStart[depth + 1] ?? 0); domain += 1) {
      const holds = emptied.every(({ group, counts, size }) => (counts[domain] ?? 0) >= group.workers / (size[depth] ?? 1));
      if (!holds) continue;
      const needed = (first?.workers ?? 0) / (emptied[0]?.size[depth] ?? 1);
      const gained = (emptied[0]?.counts[domain] ?? 0) - (now[domain] ?? 0);
      const part = gained === 0 ? 1 : Math.max(0, needed - (now[domain] ?? 0)) / gained;
      level.push({ domain, depth, estimate: (costs[domain] ?? 0) * part });
    }
    level.sort((left, right) => left.estimate - right.estimate || left.domain - right.domain);
    for (const { domain } of level.slice(0, triesPerDepth)) {
      // An only child, which comes first, stands for its parent: they have the same nodes.
      if (!domains.some((known) => hasSameNodes(topology, known.domain, domain))) domains.push({ domain, depth });
    }
  }
  return domains;
}

const hasSameNodes = (topology: Topology, one: number, other: number): boolean =>
  topology.firstNode[one] === topology.firstNode[other] && topology.endNode[one] === topology.endNode[other];

/** A job that stands in several domains costs its whole in each. */
function costsByDomain(topology: Topology, evictable: readonly Evictable[]): Float64Array {
  const costs = new Float64Array(topology.parent.length);
  for (const { holds, cost } of evictable) {
    const domains = new Set<number>();
    for (const node of new Set(holds.map((hold) => hold.node))) {
      for (let depth = topology.depth; depth >= 0; depth -= 1) domains.add(domainAbove(topology, node, depth));
    }
    for (const domain of domains) costs[domain] = (costs[domain] ?? 0) + cost;
  }
  return costs;
}
