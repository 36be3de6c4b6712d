import type { Room } from '../capacity/room.ts';
import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { DomainAt } from './findPlacement.ts';
import { findInside, holdsOf } from './findPlacement.ts';
import type { GangRequest, Spot, WorkerGroup } from './gangRequest.ts';

/**
 * After a fault the workers whose place is sound keep it, and only the others move: inside the innermost constraint that
 * their loss broke. A worker goes into the domain of what is left of its segment; a segment that is lost whole is placed
 * anew inside the one around it; the gang as a whole stays inside the tightest domain around all that kept their place,
 * and widens only as far as `requiredDepth` allows. null: not possible without moving the sound ones.
 */
export function placeAround(room: Room, request: GangRequest, kept: readonly (Spot | null)[]): readonly Spot[] | null {
  const [group] = request.groups;
  if (request.groups.length !== 1 || group === undefined || request.spread !== null || request.exclusiveDepth !== null) return null;
  const sound = kept.flatMap((spot) => spot ?? []);
  if (sound.length === 0 || kept.length !== group.workers) return null;
  const { topology } = room.capacity;
  for (let depth = commonDepth(topology, sound); depth >= request.requiredDepth; depth -= 1) {
    const anchor = { domain: domainAbove(topology, sound[0]?.node ?? 0, depth), depth };
    const spots = tryAround({ room, request, group, spots: [...kept] }, anchor);
    if (spots !== null) return spots;
  }
  return null;
}

interface Trial {
  readonly room: Room;
  readonly request: GangRequest;
  readonly group: WorkerGroup;
  /** By worker; filled as the trial goes on. */
  readonly spots: (Spot | null)[];
}

/** Workers that are placed together inside one domain. */
interface Gap {
  readonly missing: readonly number[];
  readonly segments: WorkerGroup['segments'];
  readonly inside: DomainAt;
}

/** Gaps with the least choice come first: inside one domain all of them take units of one size, so none takes another's place. */
function tryAround(trial: Trial, anchor: DomainAt): readonly Spot[] | null {
  const { capacity } = trial.room;
  const sound = trial.spots.flatMap((spot) => spot ?? []);
  const gaps = gapsOf(trial, { first: 0, end: trial.group.workers, segment: 0 }, anchor);
  const mark = capacity.mark();
  for (const hold of holdsOf(null, trial.group.shape, sound)) capacity.take(hold);
  const done = gaps.toSorted((left, right) => right.inside.depth - left.inside.depth).every((gap) => fillGap(trial, gap));
  capacity.rollback(mark);
  return done ? trial.spots.flatMap((spot) => spot ?? []) : null;
}

interface Range {
  readonly first: number;
  readonly end: number;
  /** Segments from this one on divide the range further. */
  readonly segment: number;
}

function gapsOf(trial: Trial, range: Range, inside: DomainAt): readonly Gap[] {
  const { spots, group, room } = trial;
  const missing: number[] = [];
  for (let worker = range.first; worker < range.end; worker += 1) if (spots[worker] === null) missing.push(worker);
  if (missing.length === 0) return [];
  const inner = group.segments[range.segment];
  if (inner === undefined) return [{ missing, segments: [], inside }];
  const gaps: Gap[] = [];
  for (let first = range.first; first < range.end; first += inner.workers) {
    const part = { first, end: first + inner.workers, segment: range.segment + 1 };
    const sound = spots.slice(part.first, part.end).find((spot) => spot !== null) ?? null;
    if (sound === null) {
      // A segment that is lost whole is one unit of the level that it must be whole in.
      const lost = Array.from({ length: inner.workers }, (_, at) => first + at);
      gaps.push({ missing: lost, segments: group.segments.slice(range.segment), inside });
    } else {
      // The gang may have to be together at a deeper level than its segments.
      const around = { domain: domainAbove(room.capacity.topology, sound.node, inner.depth), depth: inner.depth };
      gaps.push(...gapsOf(trial, part, inner.depth > inside.depth ? around : inside));
    }
  }
  return gaps;
}

function fillGap(trial: Trial, { missing, segments, inside }: Gap): boolean {
  const { room, request, group } = trial;
  const found = findInside(room, request, { workers: missing.length, shape: group.shape, segments }, inside);
  if (found === null) return false;
  for (const hold of holdsOf(null, group.shape, found)) room.capacity.take(hold);
  for (const [at, worker] of missing.entries()) trial.spots[worker] = found[at] ?? null;
  return true;
}

/** Depth of the deepest domain that holds all the spots. */
function commonDepth(topology: Topology, spots: readonly Spot[]): number {
  let depth = topology.depth;
  while (depth > 0 && new Set(spots.map((spot) => domainAbove(topology, spot.node, depth))).size > 1) depth -= 1;
  return depth;
}
