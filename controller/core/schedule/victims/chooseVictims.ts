import type { JobUid } from '#vocabulary/ids.ts';
import type { Room } from '../capacity/room.ts';
import { findPlacement, fits } from '../gang/findPlacement.ts';
import type { GangRequest, GangSpots } from '../gang/gangRequest.ts';
import type { Entitlement, Evictable } from './evictable.ts';
import { cheapestFirst, priorityLost } from './evictable.ts';
import { freeDomain } from './freeDomain.ts';
import { domainsWorthTrying } from './worthTrying.ts';

export type { Entitlement, Evictable } from './evictable.ts';

export interface VictimPlan {
  /** In the order of their uids. */
  readonly victims: readonly JobUid[];
  /** Who and what leaves, in no order that matters. */
  readonly leaving: readonly Evictable[];
  readonly spots: GangSpots;
  /** Milli-GPU-milliseconds. */
  readonly cost: number;
}

/**
 * Who has to leave so that a gang can start, at the least cost, or nobody.
 *
 * Priorities come first: jobs above the lowest one that is enough are not asked at all. Then domains, not nodes: with
 * everybody gone who may be asked, only some would hold the gang, and if none does the answer is an exact no. In each of
 * the promising ones victims are added greedily, the cheapest unit of room next; then each victim that is no longer needed
 * is given back, most costly first, so that no proper subset would do (inclusion-minimal, as in Kueue). The cheapest
 * domain wins, and the whole plan is verified by placing the gang with the victims gone. Nothing is changed: all of this
 * is a trial that is rolled back.
 */
export function chooseVictims(
  room: Room,
  request: GangRequest,
  evictable: readonly Evictable[],
  entitlement: Entitlement,
): VictimPlan | null {
  for (const priority of prioritiesWorthAsking(room, request, evictable)) {
    const asked = evictable.filter((each) => priorityLost(each) <= priority);
    const [plan] = rankPlans(room, request, asked, entitlement);
    if (plan !== undefined) return plan;
  }
  return null;
}

/**
 * Up to which priority jobs are asked: first the lowest that is enough, so that nobody above it is considered at all, then
 * all, in case some may not leave. Empty: not even all are enough.
 */
function prioritiesWorthAsking(room: Room, request: GangRequest, evictable: readonly Evictable[]): ReadonlySet<number> {
  const { capacity } = room;
  const mark = capacity.mark();
  const enough: number[] = [];
  const priorities = [...new Set([-1, ...evictable.map(priorityLost)])].sort((left, right) => left - right);
  for (const priority of priorities) {
    for (const each of evictable) if (priorityLost(each) === priority) for (const hold of each.holds) capacity.give(hold);
    if (!fits(room, request)) continue;
    enough.push(priority, priorities.at(-1) ?? priority);
    break;
  }
  capacity.rollback(mark);
  return new Set(enough);
}

/** One plan for each promising domain, the best first; empty: there is none. The same trial, of jobs of all priorities at once. */
export function rankPlans(
  room: Room,
  request: GangRequest,
  evictable: readonly Evictable[],
  entitlement: Entitlement,
): readonly VictimPlan[] {
  const { capacity } = room;
  const mark = capacity.mark();
  for (const each of evictable) for (const hold of each.holds) capacity.give(hold);
  const domains = domainsWorthTrying(room, request, evictable, () => capacity.rollback(mark));
  const plans: (VictimPlan & { readonly rank: Rank })[] = [];
  for (const domain of domains) {
    const trial = capacity.mark();
    const plan = planIn(room, request, { evictable, entitlement, domain });
    capacity.rollback(trial);
    if (plan !== null) plans.push(plan);
  }
  return plans
    .sort((left, right) => compareRank(left.rank, right.rank))
    .map(({ victims, leaving, spots, cost }) => ({ victims, leaving, spots, cost }));
}

/** Compared in order: nobody of high priority leaves to spare many of low priority. */
interface Rank {
  readonly priorityMax: number;
  readonly cost: number;
  readonly count: number;
}

/** Of equal ones the sort keeps the order in which they were tried. */
const compareRank = (left: Rank, right: Rank): number =>
  left.priorityMax - right.priorityMax || left.cost - right.cost || left.count - right.count;

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
  for (const each of needed) entitlement.takeBack(each);
  if (spots === null) return null;
  const cost = needed.reduce((sum, each) => sum + each.cost, 0);
  const priorityMax = Math.max(-1, ...needed.map(priorityLost));
  const victims = uidsOf(needed);
  return { victims, leaving: needed, spots, cost, rank: { priorityMax, cost, count: victims.length } };
}

/** Each once, sorted. */
export const uidsOf = (leaving: readonly Evictable[]): readonly JobUid[] => [...new Set(leaving.map((each) => each.job))].sort();

function giveBackUnneeded(room: Room, request: GangRequest, leaving: readonly Evictable[], entitlement: Entitlement): readonly Evictable[] {
  const needed = new Set(leaving);
  const dearestFirst = [...leaving].sort((left, right) => cheapestFirst(right, left));
  for (const each of dearestFirst) {
    for (const hold of each.holds) room.capacity.take(hold);
    if (fits(room, request)) {
      needed.delete(each);
      entitlement.takeBack(each);
    } else for (const hold of each.holds) room.capacity.give(hold);
  }
  return [...needed];
}
