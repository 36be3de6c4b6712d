import { milliOf } from '../../jobs/size.ts';
import type { Policy } from '../../context.ts';
import type { QueueTree } from '../../queues/queueTree.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView } from '../../state/view.ts';

/** A moved job is left alone for as many times what its move cost. */
const restPerCost = 10;

/**
 * Whether a running job may be moved so that the gang can start, apart from time: it is told to and can be
 * interrupted, does not rank above the gang, is smaller, and is no service. It keeps what it has, so shares and
 * guarantees do not matter. A job that has domains for itself stays: the place that it leaves is more than its GPUs.
 */
export function mayBeMoved(gang: JobView, job: JobView, tree: QueueTree): boolean {
  const { spec } = job;
  if (!spec.preemptible || spec.exclusive !== null || tree.isServing(spec.queue)) return false;
  // A slot is no part of a GPU that others could have whole.
  if (spec.gpuProfile !== null) return false;
  if (milliOf(job) === 0 || milliOf(job) >= milliOf(gang)) return false;
  return spec.priority <= gang.spec.priority || tree.isServing(gang.spec.queue);
}

/** From when on the time allows it: it has run as long as it wanted to, and its last move was long enough ago. */
export function movableFromMs(job: JobView): number {
  return Math.max((currentAttempt(job)?.placedAtMs ?? 0) + job.spec.minRuntimeMs, restsUntilMs(job));
}

/** Until then a moved job is not moved, and moves nobody. */
export const restsUntilMs = ({ move }: JobView): number => (move?.kind === 'done' ? move.atMs + restPerCost * move.costMs : 0);

/**
 * When moves that cost so much now (milli-GPU-milliseconds) are worth it: the gang has waited for as long as they cost
 * each GPU of it, and that is not more than the policy allows. Later than now: not yet, look again then. Meanwhile a
 * mover's work makes its move dearer and a save cheaper, and neither is a reason for a pass by itself.
 */
export function paysAtMs(
  gang: JobView,
  cost: number,
  now: { readonly nowMs: number; readonly policy: Pick<Policy, 'moveBudgetMs' | 'restartCostMs'> },
): number {
  const { nowMs, policy } = now;
  const costMs = Math.ceil(cost / milliOf(gang));
  const missingMs = costMs - waitedMsOf(gang, nowMs);
  if (missingMs <= 0 && costMs <= policy.moveBudgetMs) return nowMs;
  const againMs = costMs <= policy.moveBudgetMs ? missingMs : policy.restartCostMs;
  return nowMs + Math.max(lookAgainMs, againMs);
}

/** Not a pass for every millisecond that a plan has become dearer. */
const lookAgainMs = 1_000;

export const waitedMsOf = ({ phase }: JobView, nowMs: number): number => (phase.kind === 'pending' ? nowMs - phase.sinceMs : 0);
