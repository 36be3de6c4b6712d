import { defaultGraceMs } from '#vocabulary/job.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Endings, JobRecord, State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';

/** Brings the index in step after the job was placed, asked to leave, changed or ended. */
export function noteEnding(state: State, job: JobRecord): void {
  const { atMs, order } = state.endings;
  const before = atMs.get(job.uid) ?? null;
  const after = latestEndMs(job);
  if (before === after) return;
  if (before !== null) {
    order.splice(position(state.endings, job.uid, before), 1);
    atMs.delete(job.uid);
  }
  if (after === null) return;
  order.splice(position(state.endings, job.uid, after), 0, job.uid);
  atMs.set(job.uid, after);
}

/** Time that the job may still hold GPUs; null: it never said. 0 or more. */
function remainingMs(job: Pick<JobView, 'spec' | 'attempts'>, nowMs: number): number | null {
  const { maxRuntimeMs } = job.spec;
  return maxRuntimeMs === null ? null : Math.max(0, maxRuntimeMs - heldMs(job, nowMs));
}

/** Time that the job held its place, over all attempts: from the placement, as launching takes the GPUs too. */
export const heldMs = ({ attempts }: Pick<JobView, 'attempts'>, nowMs: number): number =>
  attempts.reduce((sum, { placedAtMs, endedAtMs }) => sum + (endedAtMs ?? nowMs) - placedAtMs, 0);

/**
 * When a job that is placed at `startMs` is told to stop at the latest, and its grace is over; null: never, as far as is
 * known. The controller ends it then (overdue.ts), so others may count on it.
 */
export function endIfPlacedAt(job: Pick<JobView, 'spec' | 'attempts'>, startMs: number): number | null {
  const { deadlineMs, checkpoint } = job.spec;
  const leftMs = remainingMs(job, startMs);
  if (leftMs === null && deadlineMs === null) return null;
  return Math.min(leftMs === null ? Infinity : startMs + leftMs, deadlineMs ?? Infinity) + (checkpoint?.graceMs ?? defaultGraceMs);
}

/** The same for one under way, by what it promised alone; null: nothing, or it is not under way. */
export function promisedEndMs(job: JobView): number | null {
  const attempt = currentAttempt(job);
  return attempt === undefined ? null : endIfPlacedAt({ spec: job.spec, attempts: job.attempts.slice(0, -1) }, attempt.placedAtMs);
}

/** When a job under way is told to leave at the latest, and its grace is over; null: nobody knows, or it is not under way. */
export function latestEndMs(job: JobView): number | null {
  const attempt = currentAttempt(job);
  if (attempt === undefined) return null;
  const promised = promisedEndMs(job);
  const { stage } = attempt;
  if (stage.kind !== 'suspending' && stage.kind !== 'stopping') return promised;
  // It is back at once, on what it keeps.
  if (stage.kind === 'suspending' && stage.reason === 'Resized') return promised;
  return Math.min(stage.sinceMs + stage.graceMs, promised ?? Infinity);
}

/** Where the job stands, or would, when its time is `atMs`. */
function position({ atMs: times, order }: Endings, uid: JobUid, atMs: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = order[middle];
    const otherMs = other === undefined ? Infinity : (times.get(other) ?? Infinity);
    if (otherMs < atMs || (otherMs === atMs && other !== undefined && other < uid)) low = middle + 1;
    else high = middle;
  }
  return low;
}
