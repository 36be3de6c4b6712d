import type { JobUid } from '#vocabulary/ids.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { Room } from '../capacity/room.ts';
import { findPlacement, fits } from '../gang/findPlacement.ts';
import type { GangRequest, GangSpots } from '../gang/gangRequest.ts';
import { freeDomain } from './freeDomain.ts';
import { domainsWorthTrying } from './worthTrying.ts';

/**
 * Who has to leave so that a gang can start, at the least cost, or nobody.
 *
 * Domains come first, not nodes: with everybody gone who may be asked, only some domains would hold the gang, and if none
 * does the answer is an exact no. In each of the promising ones victims are added greedily, the cheapest unit of room
 * next; then each victim that is no longer needed is given back, most costly first, so that no proper subset would do
 * (inclusion-minimal, as in Kueue). The cheapest domain wins, and the whole plan is verified by placing the gang with the
 * victims gone. Nothing is changed: all of this is a trial that is rolled back.
 */
export interface Evictable {
  readonly job: JobUid;
  readonly holds: readonly Hold[];
  /** What its leaving costs, in milli-GPU-milliseconds: work since the last checkpoint and the restart. 0: it leaves anyway. */
  readonly cost: number;
  readonly priority: number;
}

/** Whether victims may be asked together: nobody may be pushed below its guarantee by the sum of them. */
export interface Entitlement {
  /** Notes that the job leaves; false, and nothing noted, when it may not in addition to those noted before. */
  give(job: JobUid): boolean;
  takeBack(job: JobUid): void;
}

export interface VictimPlan {
  /** In the order of their uids. */
  readonly victims: readonly JobUid[];
  readonly spots: GangSpots;
  /** Milli-GPU-milliseconds. */
  readonly cost: number;
}

export function chooseVictims(
  room: Room,
  request: GangRequest,
  evictable: readonly Evictable[],
  entitlement: Entitlement,
): VictimPlan | null {
  const { capacity } = room;
  const mark = capacity.mark();
  for (const each of evictable) for (const hold of each.holds) capacity.give(hold);
  const domains = fits(room, request) ? domainsWorthTrying(room, request, evictable, () => capacity.rollback(mark)) : null;
  if (domains === null) {
    capacity.rollback(mark);
    return null;
  }
  let best: (VictimPlan & { readonly rank: Rank }) | null = null;
  for (const domain of domains) {
    const trial = capacity.mark();
    const plan = planIn(room, request, { evictable, entitlement, domain });
    capacity.rollback(trial);
    if (plan !== null && (best === null || isCheaper(plan.rank, best.rank))) best = plan;
  }
  return best === null ? null : { victims: best.victims, spots: best.spots, cost: best.cost };
}

/** Compared in order: nobody of high priority leaves to spare many of low priority. */
interface Rank {
  readonly priorityMax: number;
  readonly cost: number;
  readonly count: number;
}

const isCheaper = (left: Rank, right: Rank): boolean =>
  left.priorityMax !== right.priorityMax
    ? left.priorityMax < right.priorityMax
    : left.cost !== right.cost
      ? left.cost < right.cost
      : left.count < right.count;

interface Scope {
  readonly evictable: readonly Evictable[];
  readonly entitlement: Entitlement;
  readonly domain: { readonly domain: number; readonly depth: number };
}

function planIn(room: Room, request: GangRequest, scope: Scope): (VictimPlan & { readonly rank: Rank }) | null {
  const { entitlement } = scope;
  const leaving = freeDomain(room, request, scope);
  if (leaving === null) return null;
  const needed = giveBackUnneeded(room, request, leaving, entitlement);
  const spots = findPlacement(room, request);
  for (const each of needed) entitlement.takeBack(each.job);
  if (spots === null) return null;
  const cost = needed.reduce((sum, each) => sum + each.cost, 0);
  const priorityMax = Math.max(-1, ...needed.map((each) => (each.cost === 0 ? -1 : each.priority)));
  const victims = needed.map((each) => each.job).sort();
  return { victims, spots, cost, rank: { priorityMax, cost, count: victims.length } };
}

function giveBackUnneeded(room: Room, request: GangRequest, leaving: readonly Evictable[], entitlement: Entitlement): readonly Evictable[] {
  const needed = new Set(leaving);
  const dearestFirst = [...leaving].sort(
    (left, right) => right.priority - left.priority || right.cost - left.cost || (left.job < right.job ? -1 : 1),
  );
  for (const each of dearestFirst) {
    for (const hold of each.holds) room.capacity.take(hold);
    if (fits(room, request)) {
      needed.delete(each);
      entitlement.takeBack(each.job);
    } else for (const hold of each.holds) room.capacity.give(hold);
  }
  return [...needed];
}
