import { domainsInside } from '../capacity/topology.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';
import type { Asked, Room } from '../capacity/room.ts';
import type { WorkerShape } from '../capacity/shape.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { chooseGpus } from './chooseGpus.ts';
import { withEmptyDomains } from './exclusive.ts';
import { fillDomain } from './fill.ts';
import type { GangRequest, GangSpots, Spot, WorkerGroup } from './gangRequest.ts';
import { findThrift, thriftySpot } from './thrift.ts';
import type { Units } from './units.ts';
import { countUnits, unitSizes } from './units.ts';

/**
 * A place for a whole gang, or none; "none" is exact for gangs of one group, and may be wrong for several (placed greedily).
 *
 * The tightest domain that holds the gang is taken: one node before several, one rack before two; among equals the one
 * with the least room left over, so that large holes live, then the first in path order (thrift.ts for single workers). Inside it the same rule goes
 * down the tree (fill.ts). Groups of unlike workers are tried together in each domain that could hold each of them alone.
 */
export function findPlacement(room: Room, request: GangRequest): GangSpots | null {
  const asked = withEmptyDomains(room.capacity, request);
  const [only] = request.groups;
  if (request.groups.length !== 1 || only === undefined) return placeTogether(room, asked);
  const thrift = findThrift(room, asked, () => unitsOf(room, asked, only).counts);
  if (thrift !== undefined) return thrift === null ? null : [[thriftySpot(room, asked, thrift)]];
  const size = unitSizes(room.capacity.topology.depth, only);
  const node = room.tightestNode(only.shape, askedOf(asked, only, size), only.workers / (size.at(-1) ?? 1));
  if (node !== undefined && node >= 0) return [spotsOn(room.capacity, only.shape, [{ node, workers: only.workers }])];
  const units = unitsOf(room, asked, only);
  const domain = tightestDomain(room.capacity, units, only.workers, {
    requiredDepth: asked.requiredDepth,
    aboveNodes: node === -1,
    inside: null,
  });
  return domain === null ? null : [fillGroup(room.capacity, asked, { group: only, units, domain })];
}

/** Whether the gang fits at all; as exact as `findPlacement`, and cheaper for gangs of one group. */
export function fits(room: Room, request: GangRequest): boolean {
  const [only] = request.groups;
  if (request.groups.length !== 1 || only === undefined || request.exclusiveDepth !== null) return findPlacement(room, request) !== null;
  const where = { requiredDepth: request.requiredDepth, aboveNodes: true, inside: null };
  return tightestDomain(room.capacity, unitsOf(room, request, only), only.workers, where) !== null;
}

/** Whether each group alone fits into the domain, and all together when there are several. */
export function fitsInside(room: Room, request: GangRequest, inside: DomainAt): boolean {
  const asked = withEmptyDomains(room.capacity, request);
  const alone = request.groups.every((group) => {
    const units = unitsOf(room, asked, group);
    return (units.counts[inside.domain] ?? 0) >= group.workers / (units.size[inside.depth] ?? 1);
  });
  return alone && (request.groups.length === 1 || tryIn(room, asked, inside) !== null);
}

/** The group's place inside one domain; null: it does not fit there. */
export function findInside(room: Room, request: GangRequest, group: WorkerGroup, inside: DomainAt): readonly Spot[] | null {
  const units = unitsOf(room, request, group);
  const domain = tightestDomain(room.capacity, units, group.workers, { requiredDepth: inside.depth, aboveNodes: false, inside });
  return domain === null ? null : fillGroup(room.capacity, request, { group, units, domain });
}

export interface DomainAt {
  readonly domain: number;
  readonly depth: number;
}

/** Room for units of the group, by domain. Valid until the capacity changes. */
export function unitsOf(room: Room, request: GangRequest, group: WorkerGroup, before: readonly Spot[] = []): Units {
  const { topology } = room.capacity;
  const { allowed, spread } = request;
  if (before.length > 0 && spread !== null) {
    return countUnits(topology, room.slots(group.shape, { allowed, units: null }), { group, spread, before });
  }
  const size = unitSizes(topology.depth, group);
  return { counts: room.slots(group.shape, askedOf(request, group, size)), size };
}

function askedOf({ allowed, spread }: GangRequest, group: WorkerGroup, size: readonly number[]): Asked {
  return { allowed, units: group.segments.length === 0 && spread === null ? null : { size, spread } };
}

interface Where {
  readonly requiredDepth: number;
  /** It is known that no single node holds the gang. */
  readonly aboveNodes: boolean;
  readonly inside: DomainAt | null;
}

function tightestDomain(capacity: Capacity, units: Units, workers: number, where: Where): DomainAt | null {
  const { requiredDepth, aboveNodes, inside } = where;
  const nodes = capacity.topology.depth;
  for (let depth = aboveNodes && requiredDepth < nodes ? nodes - 1 : nodes; depth >= requiredDepth; depth -= 1) {
    const needed = workers / (units.size[depth] ?? 1);
    const [first, end] = inside === null ? levelRange(capacity, depth) : domainsInside(capacity.topology, inside, depth);
    let best = -1;
    for (let domain = first; domain < end; domain += 1) {
      const count = units.counts[domain] ?? 0;
      if (count >= needed && (best < 0 || count < (units.counts[best] ?? 0))) best = domain;
    }
    if (best >= 0) return { domain: best, depth };
  }
  return null;
}

const levelRange = ({ topology }: Capacity, depth: number): readonly [number, number] => [
  topology.levelStart[depth] ?? 0,
  topology.levelStart[depth + 1] ?? 0,
];

function fillGroup(
  capacity: Capacity,
  request: GangRequest,
  target: { readonly group: WorkerGroup; readonly units: Units; readonly domain: DomainAt },
): readonly Spot[] {
  const { group, units, domain } = target;
  const needed = group.workers / (units.size[domain.depth] ?? 1);
  const shares = fillDomain(capacity.topology, units, { ...domain, units: needed, packing: request.packing });
  return spotsOn(capacity, group.shape, shares);
}

function spotsOn(
  capacity: Capacity,
  shape: WorkerShape,
  shares: readonly { readonly node: number; readonly workers: number }[],
): readonly Spot[] {
  const spots: Spot[] = [];
  for (const { node, workers } of shares) for (const gpus of chooseGpus(capacity, node, shape, workers)) spots.push({ node, gpus });
  return spots;
}

/** Domains that are tried for a gang of several groups; each try places the whole gang and takes it back. */
const triesMax = 64;

function placeTogether(room: Room, request: GangRequest): GangSpots | null {
  let tries = 0;
  for (const domain of domainsFor(room, request)) {
    if (tries >= triesMax) return null;
    tries += 1;
    const spots = tryIn(room, request, domain);
    if (spots !== null) return spots;
  }
  return null;
}

/** Domains that hold each group alone, deepest first, least room for the first group first. */
function* domainsFor(room: Room, request: GangRequest): Generator<DomainAt> {
  const { topology } = room.capacity;
  const units = request.groups.map((group) => unitsOf(room, request, group));
  // Tries change the counters' arrays while this goes on: what is needed of them is read first.
  const found: (DomainAt & { readonly count: number })[] = [];
  for (let depth = topology.depth; depth >= request.requiredDepth; depth -= 1) {
    const level: (DomainAt & { readonly count: number })[] = [];
    for (let domain = topology.levelStart[depth] ?? 0; domain < (topology.levelStart[depth + 1] ?? 0); domain += 1) {
      const holds = request.groups.every((group, at) => (units[at]?.counts[domain] ?? 0) >= group.workers / (units[at]?.size[depth] ?? 1));
      if (holds) level.push({ domain, depth, count: units[0]?.counts[domain] ?? 0 });
    }
    found.push(...level.sort((left, right) => left.count - right.count || left.domain - right.domain));
  }
  yield* found;
}

function tryIn(room: Room, request: GangRequest, domain: DomainAt): GangSpots | null {
  const { capacity } = room;
  const mark = capacity.mark();
  const placed: (readonly Spot[])[] = [];
  try {
    for (const group of request.groups) {
      const units = unitsOf(room, request, group, placed.flat());
      if ((units.counts[domain.domain] ?? 0) < group.workers / (units.size[domain.depth] ?? 1)) return null;
      const spots = fillGroup(capacity, request, { group, units, domain });
      for (const hold of holdsOf(trialOwner, group.shape, spots)) capacity.take(hold);
      placed.push(spots);
    }
    return placed;
  } finally {
    capacity.rollback(mark);
  }
}

/** Names nobody: what a trial holds is gone with it. */
const trialOwner: JobUid | null = null;

/** What workers of one shape hold at their spots. */
export function holdsOf(owner: JobUid | null, shape: WorkerShape, spots: readonly Spot[]): readonly Hold[] {
  return spots.map(({ node, gpus }) => ({
    owner,
    node,
    gpus,
    gpuMilli: shape.gpuMilli,
    cpuMilli: shape.cpuMilli,
    memoryBytes: shape.memoryBytes,
  }));
}
