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

function tryAround(trial: Trial, anchor: DomainAt): readonly Spot[] | null {
  const { capacity } = trial.room;
  const mark = capacity.mark();
  for (const hold of holdsOf(
    null,
    trial.group.shape,
    trial.spots.flatMap((spot) => spot ?? []),
  ))
    capacity.take(hold);
  const done = complete(trial, { first: 0, end: trial.group.workers, segment: 0 }, anchor);
  capacity.rollback(mark);
  return done ? trial.spots.flatMap((spot) => spot ?? []) : null;
}

interface Range {
  readonly first: number;
  readonly end: number;
  /** Segments from this one on divide the range further. */
  readonly segment: number;
}

function complete(trial: Trial, range: Range, anchor: DomainAt): boolean {
  const missing: number[] = [];
  for (let worker = range.first; worker < range.end; worker += 1) if (trial.spots[worker] === null) missing.push(worker);
  if (missing.length === 0) return true;
  const inner = trial.group.segments[range.segment];
  const isWhole = missing.length === range.end - range.first;
  if (isWhole || inner === undefined) return fillMissing(trial, missing, isWhole ? trial.group.segments.slice(range.segment) : [], anchor);
  for (let first = range.first; first < range.end; first += inner.workers) {
    const part = { first, end: first + inner.workers, segment: range.segment + 1 };
    const sound = trial.spots.slice(part.first, part.end).find((spot) => spot !== null);
    const around =
      sound === undefined || sound === null
        ? anchor
        : { domain: domainAbove(trial.room.capacity.topology, sound.node, inner.depth), depth: inner.depth };
    // A segment that is lost whole is one unit of the level that it must be whole in.
    const done = sound === undefined ? placeSegment(trial, part, inner.depth, anchor) : complete(trial, part, around);
    if (!done) return false;
  }
  return true;
}

function placeSegment(trial: Trial, part: Range, depth: number, anchor: DomainAt): boolean {
  const workers = part.end - part.first;
  const missing = Array.from({ length: workers }, (_, at) => part.first + at);
  return fillMissing(trial, missing, [{ depth, workers }, ...trial.group.segments.slice(part.segment)], anchor);
}

function fillMissing(trial: Trial, missing: readonly number[], segments: WorkerGroup['segments'], anchor: DomainAt): boolean {
  const { room, request, group } = trial;
  const found = findInside(room, request, { workers: missing.length, shape: group.shape, segments }, anchor);
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
