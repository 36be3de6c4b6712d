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
/** ... of gangs that have so many candidates. Larger ones have one. */
const manyMin = 12;

/**
 * Places that hold the gang with segments of its mesh, packed tight and evenly, the most promising first. Uneven parts of a gang
 * share the links of the smaller part's domain among few GPUs, so two and two may beat three and one. Small gangs also look at other
 * domains that hold them as well as the packed one does, and at nodes with one worker each, which are on one rail.
 */
export function* meshCandidates(
  room: Room,
  request: GangRequest,
  group: WorkerGroup,
  { blocks, packed, most }: { readonly blocks: readonly number[]; readonly packed: readonly Spot[]; readonly most: number },
): Generator<readonly Spot[]> {
  const { topology } = room.capacity;
  const asked = withEmptyDomains(room.capacity, request);
  const fromDepth = commonDepth(topology, packed);
  if (fromDepth === topology.depth) return;
  const counts = unitsOf(room, { ...asked, spread: null }, { ...group, segments: [] }).counts;
  const wishes = deriveSegments(topology, group, withParts(blocks, group.workers), { counts, fromDepth: fromDepth + 1 });
  const domains = most < manyMin ? 1 : domainsMax;
  for (const segments of [...wishes, group.segments]) yield* placesInside(room, asked, { ...group, segments }, { fromDepth, domains });
  if (most < manyMin || request.spread !== null) return;
  yield* placesInside(room, { ...asked, spread: { depth: topology.depth, max: 1 } }, group, { fromDepth, domains });
}

function* placesInside(
  room: Room,
  request: GangRequest,
  group: WorkerGroup,
  { fromDepth, domains }: { readonly fromDepth: number; readonly domains: number },
): Generator<readonly Spot[]> {
  for (const domain of domainsHolding(room, request, group, fromDepth).slice(0, domains)) {
    for (const packing of ['tight', 'even'] as const) {
      const spots = findInside(room, { ...request, packing }, group, domain);
      if (spots !== null) yield spots;
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
