import type { Room } from '../capacity/room.ts';
import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import { withEmptyDomains } from '../gang/exclusive.ts';
import type { DomainAt } from '../gang/findPlacement.ts';
import { findInside, unitsOf } from '../gang/findPlacement.ts';
import type { GangRequest, Spot, WorkerGroup } from '../gang/gangRequest.ts';
import { withParts } from './blocks.ts';
import { deriveSegments } from './deriveSegments.ts';

/** Domains that are tried for each list of segments ... */
const domainsMax = 3;
/** ... of gangs that have so many candidates: in all ways to pack, and with equal parts of blocks too. Larger ones have one domain. */
const manyMin = 12;

/** Places that hold the gang with segments of its mesh, and other domains that hold it as well as the packed one does. */
export function* meshCandidates(
  room: Room,
  request: GangRequest,
  group: WorkerGroup,
  { blocks, packed, left }: { readonly blocks: readonly number[]; readonly packed: readonly Spot[]; readonly left: number },
): Generator<readonly Spot[]> {
  const { topology } = room.capacity;
  const asked = withEmptyDomains(room.capacity, request);
  const fromDepth = commonDepth(topology, packed);
  if (fromDepth === topology.depth) return;
  const counts = unitsOf(room, { ...asked, spread: null }, { ...group, segments: [] }).counts;
  const wishes = deriveSegments(topology, group, left < manyMin ? blocks : withParts(blocks, group.workers), {
    counts,
    fromDepth: Math.max(fromDepth + 1, 1),
  });
  for (const segments of [...wishes, group.segments]) {
    const wished = { ...group, segments };
    for (const domain of domainsHolding(room, asked, wished, fromDepth).slice(0, left < manyMin ? 1 : domainsMax)) {
      for (const packing of left < manyMin ? [asked.packing] : (['tight', 'even'] as const)) {
        const spots = findInside(room, { ...asked, packing }, wished, domain);
        if (spots !== null) yield spots;
      }
    }
  }
}

/** The tightest domains of the deepest level that holds the group. */
function domainsHolding(room: Room, request: GangRequest, group: WorkerGroup, fromDepth: number): readonly DomainAt[] {
  const { topology } = room.capacity;
  const { counts, size } = unitsOf(room, request, group);
  for (let depth = fromDepth; depth >= request.requiredDepth; depth -= 1) {
    const needed = group.workers / (size[depth] ?? 1);
    const found: DomainAt[] = [];
    for (let domain = topology.levelStart[depth] ?? 0; domain < (topology.levelStart[depth + 1] ?? 0); domain += 1)
      if ((counts[domain] ?? 0) >= needed) found.push({ domain, depth });
    if (found.length > 0)
      return found.sort((left, right) => (counts[left.domain] ?? 0) - (counts[right.domain] ?? 0) || left.domain - right.domain);
  }
  return [];
}

function commonDepth(topology: Topology, spots: readonly Spot[]): number {
  let depth = topology.depth;
  while (depth > 0 && new Set(spots.map(({ node }) => domainAbove(topology, node, depth))).size > 1) depth -= 1;
  return depth;
}
