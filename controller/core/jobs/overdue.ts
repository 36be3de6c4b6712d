import { defaultGraceMs } from '#vocabulary/job.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import type { StopCause } from '../events.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { heldMs } from './endings.ts';
import { dropNomination, failAttempt } from './stop.ts';

/** Ends jobs that have run as long as they promised to, and those whose deadline has passed, run or not. */
export function endOverdueJobs(turn: Turn): void {
  for (const job of turn.state.jobs.values()) {
    if (job.phase.kind === 'finished') continue;
    const cause = judgeDeadline(job, turn.context.nowMs) ?? judgeRuntime(job, turn.context.nowMs);
    if (cause === null) continue;
    const attempt = currentAttempt(job);
    if (attempt === undefined) {
      dropNomination(turn, job);
      turn.emit({ kind: 'JobExpired', uid: job.uid, ...cause });
    } else if (attempt.stage.kind !== 'stopping') failAttempt(turn, job, cause, job.spec.checkpoint?.graceMs ?? defaultGraceMs);
  }
}

function judgeDeadline({ spec: { deadlineMs } }: JobView, nowMs: number): StopCause | null {
  if (deadlineMs === null || nowMs < deadlineMs) return null;
  return { reason: 'DeadlineExceeded', message: `not over by its deadline ${formatTimestamp(deadlineMs)}` };
}

function judgeRuntime(job: JobView, nowMs: number): StopCause | null {
  const { maxRuntimeMs } = job.spec;
  if (maxRuntimeMs === null || currentAttempt(job) === undefined) return null;
  const ranMs = heldMs(job, nowMs);
  if (ranMs < maxRuntimeMs) return null;
  return { reason: 'MaxRuntime', message: `held its place ${Math.round(ranMs / 1000)} s of at most ${Math.round(maxRuntimeMs / 1000)} s` };
}

/** Keeps the newest finished jobs, and those that another job still waits for. */
export function removeOldJobs(turn: Turn): void {
  const { finishedJobsMax } = turn.context.policy;
  // Cheap in nearly every tick: fewer jobs in all than may be finished.
  if (turn.state.jobs.size <= finishedJobsMax) return;
  const finished = [...turn.state.jobs.values()].flatMap((job) =>
    job.phase.kind === 'finished' && !turn.state.awaited.has(job.name) ? [{ uid: job.uid, name: job.name, atMs: job.phase.atMs }] : [],
  );
  finished.sort((left, right) => left.atMs - right.atMs || (left.uid < right.uid ? -1 : 1));
  for (const { uid, name } of finished.slice(0, Math.max(0, finished.length - finishedJobsMax)))
    turn.emit({ kind: 'JobRemoved', uid, name });
}
