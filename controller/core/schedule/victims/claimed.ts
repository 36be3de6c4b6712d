import type { JobUid } from '#vocabulary/ids.ts';
import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, StateView } from '../../state/view.ts';
import type { Capacity } from '../capacity/capacity.ts';
import { givenUpBy, keptBy } from '../elastic/surplus.ts';
import { holdsBeside } from '../elastic/workerHolds.ts';
import { claimOf, isLeaving, isResizing } from './running.ts';

/**
 * Who leaves, in one pass, for somebody who has not started yet: one nominee and nobody else's, but for those who shrink,
 * whom several nominees may ask for more. In the book they are gone already: else several nominees would each take what a
 * queue can spare once.
 */
export class Claimed {
  readonly #state: StateView;
  readonly #book: EntitlementBook;
  readonly #claimed = new Set<JobUid>();
  readonly #gone = new Map<JobUid, Omit<Claim, 'standing'>>();
  /** Those whose GPUs a nominee was told to count on. */
  readonly #returned = new Set<JobUid>();

  constructor(state: StateView, book: EntitlementBook) {
    this.#state = state;
    this.#book = book;
  }

  has(uid: JobUid): boolean {
    return this.#claimed.has(uid);
  }

  /** It moves: its queue has as much as before. */
  addMoving(uid: JobUid): void {
    this.#claimed.add(uid);
  }

  /** To be told when it was asked, and again when it was asked for more. */
  add(uid: JobUid): void {
    this.#claimed.add(uid);
    const victim = this.#state.jobs.get(uid);
    if (victim === undefined || !isLeaving(victim)) return;
    const before = this.#gone.get(uid);
    if (before !== undefined) this.#book.take(before);
    this.#gone.delete(uid);
    const claim = lostBy(victim);
    if (claim === null) return;
    this.#book.give(claim);
    this.#gone.set(uid, claim);
  }

  /** A nominee needs it no more. Who shrinks stays claimed: others may have asked it too. */
  release(uid: JobUid): void {
    const victim = this.#state.jobs.get(uid);
    if (victim !== undefined && isResizing(victim)) return;
    this.#claimed.delete(uid);
    const claim = this.#gone.get(uid);
    if (claim === undefined || isLeaving(victim)) return;
    this.#book.take(claim);
    this.#gone.delete(uid);
  }

  /** What a queue has back when it has left; the second time nothing, as nominees may share it. */
  givenBackBy(uid: JobUid): readonly Omit<Claim, 'standing'>[] {
    const victim = this.#state.jobs.get(uid);
    const claim = victim === undefined || this.#returned.has(uid) ? null : lostBy(victim);
    this.#returned.add(uid);
    return claim === null ? [] : [claim];
  }
}

/** null: nothing. Who comes back at once gives only what it comes back without. */
function lostBy(victim: JobView): Omit<Claim, 'standing'> | null {
  const attempt = currentAttempt(victim);
  if (attempt === undefined) return null;
  const claim = victim.move?.kind === 'asked' ? givenUpBy(victim) : claimOf(victim, attempt.model);
  return claim === null || claim.gpuMilli === 0 ? null : claim;
}

/** As if these had left: for a trial that is rolled back. */
export function giveLeft(capacity: Capacity, { jobs }: Pick<StateView, 'jobs'>, leaving: readonly JobUid[]): void {
  const gone = new Set<JobUid>(leaving);
  for (const uid of leaving) {
    const kept = keptBy(jobs.get(uid));
    if (kept === null) continue;
    gone.delete(uid);
    for (const hold of holdsBeside(capacity, uid, kept)) capacity.give(hold);
  }
  for (let node = 0; gone.size > 0 && node < capacity.nodes; node += 1) {
    for (const hold of capacity.holdsOf(node)) if (hold.owner !== null && gone.has(hold.owner)) capacity.give(hold);
  }
}
