import { heldMilli } from '../../queues/attained.ts';
import type { AttemptView, JobView } from '../../state/view.ts';

/**
 * What it costs when the attempt leaves now, in milli-GPU-milliseconds: the work since its last checkpoint, which is lost
 * if it cannot save in its grace, and the restart. A program that never saved loses all since its start.
 */
export function leavingCost(job: JobView, attempt: AttemptView, nowMs: number, restartCostMs: number): number {
  const savedAtMs = job.checkpoint?.attempt === attempt.number ? job.checkpoint.atMs : (attempt.startedAtMs ?? attempt.placedAtMs);
  return heldMilli(job, attempt) * (Math.max(0, nowMs - savedAtMs) + restartCostMs);
}
