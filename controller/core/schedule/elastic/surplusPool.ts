import type { JobUid } from '#vocabulary/ids.ts';
import { defaultGraceMs } from '#vocabulary/job.ts';
import type { MovedTo } from '../../events.ts';
import { askToLeave } from '../../jobs/stop.ts';
import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import { spareMilli } from '../../queues/entitlement.ts';
import type { Standings } from '../../queues/standing.ts';
import type { Turn } from '../../turn.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { Leaving } from '../reserve/leaving.ts';
import type { Promises } from '../reserve/promises.ts';
import { uidsOf } from '../victims/chooseVictims.ts';
import type { Claimed } from '../victims/claimed.ts';
import type { Entitlement, Evictable } from '../victims/evictable.ts';
import type { Surplus } from './surplus.ts';
import { placesWithout, resizeCostMs, surplusOf } from './surplus.ts';

/**
 * What running elastic jobs could give back in one pass. Read when the first job is refused: an elastic job that is placed
 * after that is too young to be asked, and counts only for when to look again.
 */
export class SurplusPool {
  readonly #turn: Turn;
  readonly #parts: Parts;
  #known: Map<JobUid, Surplus> | null = null;
  #isRefused = false;
  #isDenied = false;

  constructor(turn: Turn, parts: Parts) {
    this.#turn = turn;
    this.#parts = parts;
  }

  /** Rules nearly all searches out: whether it and what is free is as much as the gang wants. */
  mayHelp(gpuMilli: number, readFreeMilli: () => number): boolean {
    if (this.#turn.state.resizable.size === 0) return false;
    const freeMilli = readFreeMilli();
    let sum = freeMilli;
    for (const { most, claim } of this.#all().values()) sum += most * claim.gpuMilli;
    return sum >= gpuMilli && sum > freeMilli;
  }

  /** Those who may be asked for the nominee now, by uid. Who leaves for somebody else is one of them only if it is to come back smaller. */
  for(nominee: Claim): readonly Surplus[] {
    const { state, context } = this.#turn;
    if (state.resizable.size === 0) return [];
    const { book, claimed, promises } = this.#parts;
    return [...this.#all().values()].flatMap((surplus): readonly Surplus[] => {
      const { job, claim, fromMs } = surplus;
      if (claim.model !== nominee.model || fromMs > context.nowMs) return [];
      if (claimed.has(job.uid) && state.jobs.get(job.uid)?.move?.kind !== 'asked') return [];
      // Somebody ahead in the order was promised its place.
      const groups = surplus.groups.filter(({ holds }) => !promises.touches(holds));
      const mayGive = mayTake(nominee, claim, book);
      if (!mayGive) this.#isDenied = true;
      return mayGive && groups.length > 0 ? [{ ...surplus, groups }] : [];
    });
  }

  /** As much as each can give, of any model, with the time at which it is gone at the latest if it is asked as soon as it may be. */
  leaving(nominee: Claim): readonly Leaving[] {
    if (this.#turn.state.resizable.size === 0) return [];
    const { nowMs, policy } = this.#turn.context;
    const { book } = this.#parts;
    const mark = book.mark();
    const leaving = [...this.#all().values()].flatMap(({ job, groups, most, claim, fromMs }): readonly Leaving[] => {
      let count = 0;
      for (; count < most && mayTake({ ...nominee, model: claim.model }, claim, book); count += 1) book.give(claim);
      if (count === 0) return [];
      const graceMs = job.spec.checkpoint?.graceMs ?? defaultGraceMs;
      const holds = groups.slice(-count).flatMap((group) => group.holds);
      return [{ atMs: Math.max(nowMs, fromMs) + graceMs + policy.stopSlackMs, holds }];
    });
    book.rollback(mark);
    return leaving;
  }

  /** Whether the nominee may take of these what they can do without; all others leave as they like. */
  entitlement(nominee: Claim, surplus: readonly Surplus[]): Entitlement {
    return entitlementToSurplus(nominee, this.#parts.book, surplus);
  }

  /** Where those start again who give back these groups. */
  shrinks(leaving: readonly Evictable[]): readonly MovedTo[] {
    const groups = leaving.filter(({ group }) => group !== undefined);
    return uidsOf(groups).flatMap((uid) => {
      const surplus = this.#all().get(uid);
      const gone = new Set(groups.flatMap(({ job, group }) => (job === uid && group !== undefined ? [group] : [])));
      return surplus === undefined ? [] : [{ uid, placement: placesWithout(surplus, gone), costMs: resizeCostMs(this.#turn, uid) }];
    });
  }

  /** To be told after the log was: it leaves to come back smaller, or was asked for more. */
  ask(uid: JobUid): void {
    const job = this.#turn.state.jobs.get(uid);
    if (job !== undefined) askToLeave(this.#turn, job, 'Resized');
    this.#parts.claimed.add(uid);
    const surplus = this.#read(uid);
    if (surplus === null) this.#all().delete(uid);
    else this.#all().set(uid, surplus);
  }

  /** Somebody found no place, and nobody to make room. */
  refused(): void {
    this.#isRefused = true;
  }

  /** Somebody would have been asked, were it not for the guarantee of its queue. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** When time alone lets somebody be asked who was spared; null: it does not. */
  get wakeAtMs(): number | null {
    if (!this.#isRefused) return null;
    const { state, context } = this.#turn;
    let soonest = Infinity;
    for (const uid of state.resizable) {
      const surplus = this.#known?.get(uid) ?? this.#read(uid);
      if (surplus !== null && surplus.fromMs > context.nowMs) soonest = Math.min(soonest, surplus.fromMs);
    }
    return soonest === Infinity ? null : soonest;
  }

  #all(): Map<JobUid, Surplus> {
    this.#known ??= new Map(
      [...this.#turn.state.resizable].sort().flatMap((uid): [JobUid, Surplus][] => {
        const surplus = this.#read(uid);
        return surplus === null ? [] : [[uid, surplus]];
      }),
    );
    return this.#known;
  }

  #read(uid: JobUid): Surplus | null {
    return surplusOf(this.#turn, this.#parts, uid);
  }
}

interface Parts {
  readonly capacity: Capacity;
  readonly standings: Standings;
  readonly book: EntitlementBook;
  readonly claimed: Claimed;
  readonly promises: Promises;
}

/** Counts what a plan takes of each: no more than it can do without, and than its queue can. All others may leave. */
export function entitlementToSurplus(nominee: Claim, book: EntitlementBook, surplus: readonly Surplus[]): Entitlement {
  const left = new Map(surplus.map(({ job, most }) => [job.uid, most]));
  const claims = new Map(surplus.map(({ job, claim }) => [job.uid, claim]));
  const count = (uid: JobUid, by: number): void => void left.set(uid, (left.get(uid) ?? 0) + by);
  return {
    give: ({ job, group }) => {
      if (group === undefined) return true;
      const claim = claims.get(job);
      if (claim === undefined || (left.get(job) ?? 0) === 0 || !mayTake(nominee, claim, book)) return false;
      book.give(claim);
      count(job, -1);
      return true;
    },
    takeBack: ({ job, group }) => {
      const claim = group === undefined ? undefined : claims.get(job);
      if (claim === undefined) return;
      book.take(claim);
      count(job, 1);
    },
  };
}

/**
 * Whoever waits may have what others can do without, of any queue and priority, but for what the other side is guaranteed,
 * and for services: they yield to services only. Leaves the book as it is.
 */
function mayTake(nominee: Claim, group: Claim, book: EntitlementBook): boolean {
  if (book.tree.isServing(group.queue) && !book.tree.isServing(nominee.queue)) return false;
  return group.gpuMilli <= spareMilli(nominee.queue, group.queue, group.model, book);
}
