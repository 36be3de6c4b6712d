import type { JobUid } from '#vocabulary/ids.ts';
import { defaultGraceMs } from '#vocabulary/job.ts';
import type { MovedTo } from '../../events.ts';
import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import { spareMilli } from '../../queues/entitlement.ts';
import type { Standings } from '../../queues/standing.ts';
import type { Turn } from '../../turn.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { Leaving } from '../reserve/leaving.ts';
import { uidsOf } from '../victims/chooseVictims.ts';
import type { Evictable } from '../victims/evictable.ts';
import type { Surplus } from './surplus.ts';
import { placesWithout, resizeCostMs, surplusOf } from './surplus.ts';

/**
 * What running elastic jobs could give back in one pass. Read when the first job is refused: an elastic job that is placed
 * after that is too young to be asked, and counts only for when to look again.
 */
export class SurplusPool {
  readonly #turn: Turn;
  readonly #capacity: Capacity;
  readonly #standings: Standings;
  #known: Map<JobUid, Surplus> | null = null;
  #isRefused = false;
  #isDenied = false;

  constructor(turn: Turn, capacity: Capacity, standings: Standings) {
    this.#turn = turn;
    this.#capacity = capacity;
    this.#standings = standings;
  }

  /** Rules nearly all searches out: whether it and what is free is as much as the gang wants. */
  mayHelp(gpuMilli: number, freeMilli: number): boolean {
    if (this.#turn.state.resizable.size === 0) return false;
    let sum = freeMilli;
    for (const { most, claim } of this.#all().values()) sum += most * claim.gpuMilli;
    return sum >= gpuMilli && sum > freeMilli;
  }

  /** Those who may be asked for the nominee now, by uid. */
  for(nominee: Claim, model: string | null, book: EntitlementBook): readonly Surplus[] {
    if (this.#turn.state.resizable.size === 0) return [];
    return [...this.#all().values()].filter(({ claim, fromMs }) => {
      if (claim.model !== model || fromMs > this.#turn.context.nowMs) return false;
      const mayGive = mayTake(nominee, claim, book);
      if (!mayGive) this.#isDenied = true;
      return mayGive;
    });
  }

  /** As much as each can give, of any model, with the time at which it is gone at the latest if it is asked as soon as it may be. */
  leaving(nominee: Claim, book: EntitlementBook, stopSlackMs: number): readonly Leaving[] {
    if (this.#turn.state.resizable.size === 0) return [];
    const { nowMs } = this.#turn.context;
    const mark = book.mark();
    const leaving = [...this.#all().values()].flatMap(({ job, groups, most, claim, fromMs }): readonly Leaving[] => {
      let count = 0;
      for (; count < most && mayTake({ ...nominee, model: claim.model }, claim, book); count += 1) book.give(claim);
      if (count === 0) return [];
      const graceMs = job.spec.checkpoint?.graceMs ?? defaultGraceMs;
      const holds = groups.slice(-count).flatMap((group) => group.holds);
      return [{ atMs: Math.max(nowMs, fromMs) + graceMs + stopSlackMs, holds }];
    });
    book.rollback(mark);
    return leaving;
  }

  /** Where those start again who give back these groups. */
  shrinks(leaving: readonly Evictable[]): readonly MovedTo[] {
    const gone = new Set(leaving);
    return uidsOf(leaving.filter(({ group }) => group !== undefined)).flatMap((uid) => {
      const surplus = this.#all().get(uid);
      return surplus === undefined ? [] : [{ uid, placement: placesWithout(surplus, gone), costMs: resizeCostMs(this.#turn, uid) }];
    });
  }

  /** It was asked for some of its groups. */
  changed(uid: JobUid): void {
    const surplus = surplusOf(this.#turn, this.#capacity, this.#standings, uid);
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
      const surplus = this.#known?.get(uid) ?? surplusOf(this.#turn, this.#capacity, this.#standings, uid);
      if (surplus !== null && surplus.fromMs > context.nowMs) soonest = Math.min(soonest, surplus.fromMs);
    }
    return soonest === Infinity ? null : soonest;
  }

  #all(): Map<JobUid, Surplus> {
    this.#known ??= new Map(
      [...this.#turn.state.resizable].sort().flatMap((uid): [JobUid, Surplus][] => {
        const surplus = surplusOf(this.#turn, this.#capacity, this.#standings, uid);
        return surplus === null ? [] : [[uid, surplus]];
      }),
    );
    return this.#known;
  }
}

/**
 * Whoever waits may have what others can do without, of any queue and priority, but for what the other side is guaranteed,
 * and for services: they yield to services only. Leaves the book as it is.
 */
export function mayTake(nominee: Claim, group: Claim, book: EntitlementBook): boolean {
  if (book.tree.isServing(group.queue) && !book.tree.isServing(nominee.queue)) return false;
  return group.gpuMilli <= spareMilli(nominee.queue, group.queue, group.model, book);
}
