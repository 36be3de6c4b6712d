import type { Displacement } from '#vocabulary/verdict.ts';
import type { Claim } from '../../queues/entitlement.ts';
import { EntitlementBook, mayDisplace } from '../../queues/entitlement.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, StateView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Running } from '../victims/running.ts';
import { claimOf, isLeaving } from '../victims/running.ts';
import type { Stand } from './atItsTurn.ts';

type Count = Exclude<keyof Displacement, 'running' | 'youngUntilMs'>;

/** Who could be asked to leave for the job, by the rules that displacing itself goes by. O(nodes). */
export function countDisplaceable(
  { state, context }: Turn,
  { preemption, backfill }: Stand,
  job: JobView,
  models: readonly string[],
): Displacement {
  const counts: Record<Count, number> = { mayAsk: 0, promised: 0, notPreemptible: 0, notLower: 0, guaranteed: 0, young: 0 };
  const book = bookWithNominees(state);
  const standing = preemption.standings.waiting(job);
  let running = 0;
  let youngUntilMs = Number.POSITIVE_INFINITY;
  for (const one of preemption.running()) {
    const { model } = one.claim;
    if (model === null || !models.includes(model) || isLeaving(one.victim)) continue;
    running += 1;
    const nominee = { ...claimOf(job, model), standing };
    const untilMs = (currentAttempt(one.victim)?.placedAtMs ?? 0) + one.victim.spec.minRuntimeMs;
    if (one.claim.preemptible && backfill.promises.touches(one.evictable.holds)) counts.promised += 1;
    else if (!mayDisplace(nominee, one.claim, book)) counts[whyNot(nominee, one, book)] += 1;
    else if (untilMs <= context.nowMs) counts.mayAsk += 1;
    else {
      counts.young += 1;
      youngUntilMs = Math.min(youngUntilMs, untilMs);
    }
  }
  return { running, ...counts, youngUntilMs: counts.young === 0 ? null : youngUntilMs };
}

/** The first of its reasons: it says no to all, it ranks too high, its queue keeps it. */
function whyNot(nominee: Claim, { claim }: Running, book: EntitlementBook): 'notPreemptible' | 'notLower' | 'guaranteed' {
  if (!claim.preemptible) return 'notPreemptible';
  const serving = Number(book.tree.isServing(nominee.queue)) - Number(book.tree.isServing(claim.queue));
  return serving > 0 || (serving === 0 && nominee.priority > claim.priority) ? 'guaranteed' : 'notLower';
}

/** As if nominees had started and their victims were gone. */
function bookWithNominees(state: StateView): EntitlementBook {
  const book = new EntitlementBook(state);
  for (const uid of state.pending) {
    const nominee = state.jobs.get(uid);
    if (nominee === undefined || nominee.nomination === null) continue;
    for (const victimUid of nominee.nomination.victims) {
      const victim = state.jobs.get(victimUid);
      const attempt = victim === undefined ? undefined : currentAttempt(victim);
      if (victim !== undefined && attempt !== undefined && isLeaving(victim) && victim.move?.kind !== 'asked')
        book.give(claimOf(victim, attempt.model));
    }
    book.take(claimOf(nominee, nominee.nomination.model));
  }
  return book;
}
