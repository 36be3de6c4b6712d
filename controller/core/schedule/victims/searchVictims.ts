import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import { mayDisplace } from '../../queues/entitlement.ts';
import type { Room } from '../capacity/room.ts';
import type { Surplus } from '../elastic/surplus.ts';
import { entitlementToSurplus } from '../elastic/surplusPool.ts';
import type { GangRequest } from '../gang/gangRequest.ts';
import type { VictimPlan } from './chooseVictims.ts';
import { chooseVictims, uidsOf } from './chooseVictims.ts';
import type { Entitlement, Evictable } from './evictable.ts';
import { priorityLost } from './evictable.ts';
import type { Deficit } from './quota.ts';
import { coverDeficits } from './quota.ts';

/** Somebody who may be asked, or leaves anyway (cost 0). */
export interface Candidate {
  readonly evictable: Evictable;
  readonly claim: Claim;
  /** May be asked whatever the ranks are. Absent: not. */
  readonly isFree?: true;
}

export interface VictimSearch {
  readonly room: Room;
  readonly request: GangRequest;
  readonly nominee: Claim;
  readonly book: EntitlementBook;
  readonly deficits: readonly Deficit[];
  /** Whole gangs. */
  readonly gangs: readonly Candidate[];
  readonly surplus: readonly Surplus[];
}

/**
 * Who makes room for the nominee. First only what elastic jobs can do without: if that is enough no gang is asked to leave.
 * Then whole gangs. When an elastic one is among them, it is tried once more whether its surplus is enough beside others that
 * leave, none of a higher priority and at no higher cost.
 */
export function searchVictims(search: VictimSearch): VictimPlan | null {
  const { gangs, surplus } = search;
  const groups = surplus.flatMap(({ groups: of, claim }) => of.map((evictable): Candidate => ({ evictable, claim })));
  const leaving = gangs.filter(({ evictable, isFree }) => evictable.cost === 0 || isFree === true);
  if (groups.length > 0) {
    const plan = planWith(search, [...leaving, ...groups]);
    if (plan !== null) return plan;
  }
  const whole = new Set(gangs.map(({ evictable }) => evictable.job));
  const plan = gangs.length === 0 ? null : planWith(search, [...gangs, ...groups.filter(({ evictable }) => !whole.has(evictable.job))]);
  const elastic = new Set(surplus.map(({ job }) => job.uid));
  if (plan === null || !plan.leaving.some(({ job, group }) => group === undefined && elastic.has(job))) return plan;
  const highest = Math.max(...plan.leaving.map(priorityLost));
  const others = gangs.filter(({ evictable }) => !elastic.has(evictable.job) && priorityLost(evictable) <= highest);
  const sparing = planWith(search, [...others, ...groups]);
  return sparing !== null && sparing.cost <= plan.cost ? sparing : plan;
}

function planWith(search: VictimSearch, candidates: readonly Candidate[]): VictimPlan | null {
  const { room, request, book, deficits } = search;
  const mark = book.mark();
  const claims = new Map(candidates.map(({ evictable, claim }) => [evictable, claim]));
  const evictable = candidates.map((candidate) => candidate.evictable);
  const free = new Set(candidates.flatMap((candidate) => (candidate.isFree === true ? [candidate.evictable] : [])));
  const entitlement = entitlementOf(search, claims, free);
  const plan = chooseVictims(room, request, evictable, entitlement);
  const milliOf = (each: Evictable): number => claims.get(each)?.gpuMilli ?? 0;
  const leaving = plan === null ? null : coverDeficits(plan.leaving, { deficits, evictable, milliOf, entitlement });
  book.rollback(mark);
  return plan === null || leaving === null ? null : { ...plan, leaving, victims: uidsOf(leaving) };
}

function entitlementOf(
  { nominee, book, surplus }: VictimSearch,
  claims: ReadonlyMap<Evictable, Claim>,
  free: ReadonlySet<Evictable>,
): Entitlement {
  const groups = entitlementToSurplus(nominee, book, surplus);
  return {
    give: (each) => {
      if (each.group !== undefined) return groups.give(each);
      const claim = claims.get(each);
      if (claim === undefined || (each.cost > 0 && !free.has(each) && !mayDisplace(nominee, claim, book))) return false;
      book.give(claim);
      return true;
    },
    takeBack: (each) => {
      const claim = claims.get(each);
      if (each.group !== undefined) groups.takeBack(each);
      else if (claim !== undefined) book.take(claim);
    },
  };
}
