import type { UserName } from '#vocabulary/ids.ts';
import type { JobWanted } from '../events.ts';
import type { Reply, Request } from '../inputs.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { findJob, jobChanged, jobNotFound, refuseIfOver } from './jobReplies.ts';
import { askToLeave, dropNomination, failAttempt } from './stop.ts';

/** Stops it, with a checkpoint unless `now`, and removes it. */
export function onDeleteJob(turn: Turn, request: Extract<Request, { kind: 'deleteJob' }>): Reply {
  const job = findJob(turn.state, request.name);
  if (job === undefined) return jobNotFound(turn.state, request.name);
  const attempt = currentAttempt(job);
  if (attempt === undefined) {
    dropNomination(turn, job);
    turn.emit({ kind: 'JobRemoved', uid: job.uid, name: job.name });
    return jobChanged(job, true);
  }
  const first = want(turn, job, 'delete', request.user);
  if (request.now) failAttempt(turn, job, { reason: 'Deleted', message: `deleted at once by ${request.user}` }, 0);
  else askToLeave(turn, job, 'Deleted');
  return jobChanged(job, first);
}

/** Asks a running job to leave with a checkpoint; a waiting one stops waiting. */
export function onSuspendJob(turn: Turn, request: Extract<Request, { kind: 'suspendJob' }>): Reply {
  const job = findJob(turn.state, request.name);
  if (job === undefined) return jobNotFound(turn.state, request.name);
  const over = refuseIfOver(job, 'suspended');
  if (over !== null) return over;
  const first = want(turn, job, 'suspend', request.user);
  if (job.phase.kind === 'pending') {
    dropNomination(turn, job);
    turn.emit({ kind: 'JobParked', uid: job.uid, phase: 'suspended' });
  } else askToLeave(turn, job, 'Suspended');
  return jobChanged(job, first);
}

export function onResumeJob(turn: Turn, request: Extract<Request, { kind: 'resumeJob' }>): Reply {
  const job = findJob(turn.state, request.name);
  if (job === undefined) return jobNotFound(turn.state, request.name);
  const over = refuseIfOver(job, 'resumed');
  if (over !== null) return over;
  const first = want(turn, job, 'run', request.user);
  // One that is still leaving goes back into the queue when it has left.
  if (job.phase.kind === 'suspended') turn.emit({ kind: 'JobParked', uid: job.uid, phase: 'pending' });
  return jobChanged(job, first);
}

function want(turn: Turn, job: JobView, wanted: JobWanted, by: UserName): boolean {
  if (job.wanted === wanted) return false;
  turn.emit({ kind: 'JobWanted', uid: job.uid, wanted, by });
  return true;
}
