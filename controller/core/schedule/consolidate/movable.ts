import { milliPerGpu } from '#vocabulary/job.ts';
import type { Policy } from '../../context.ts';
import { QueueTree } from '../../queues/queueTree.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, StateView } from '../../state/view.ts';

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
  if (milliOf(job) === 0 || milliOf(job) >= milliOf(gang)) return false;
  return spec.priority <= gang.spec.priority || tree.isServing(gang.spec.queue);
}

/** From when on the time allows it: it has run as long as it wanted to, and its last move was long enough ago. */
export function movableFromMs(job: JobView): number {
  return Math.max((currentAttempt(job)?.placedAtMs ?? 0) + job.spec.minRuntimeMs, restsUntilMs(job));
}

/** Until then a moved job is not moved, and moves nobody. */
export const restsUntilMs = ({ move }: JobView): number => (move?.kind === 'done' ? move.atMs + restPerCost * move.costMs : 0);

/** All GPUs of the job. */
export const milliOf = ({ spec }: JobView): number => spec.workers * spec.gpusPerWorker * milliPerGpu(spec);

export const treeOf = (state: StateView): QueueTree => new QueueTree(state.queues);

/**
 * When moves that cost so much now are worth it: the gang has waited for as long as they cost each GPU of it, and that is
 * not more than the policy allows. Costs grow as the movers work on. Later than now: not yet, look again then.
 */
export function paysAtMs(
  gang: JobView,
  moves: { readonly cost: number; readonly gpuMilli: number },
  now: { readonly nowMs: number; readonly policy: Pick<Policy, 'moveBudgetMs' | 'restartCostMs'> },
): number {
  const { nowMs, policy } = now;
  const waitedMs = waitedMsOf(gang, nowMs);
  const costMs = moves.cost / milliOf(gang);
  if (costMs <= Math.min(waitedMs, policy.moveBudgetMs)) return nowMs;
  // A save makes movers cheaper, and is no reason for a pass: look again when a restart's time has gone by.
  const againAtMs = nowMs + Math.max(1_000, policy.restartCostMs);
  const perMs = 1 - moves.gpuMilli / milliOf(gang);
  const patientAtMs = perMs > 0 && costMs > waitedMs ? nowMs + Math.ceil((costMs - waitedMs) / perMs) : againAtMs;
  return Math.min(patientAtMs, againAtMs);
}

export const waitedMsOf = ({ phase }: JobView, nowMs: number): number => (phase.kind === 'pending' ? nowMs - phase.sinceMs : 0);
