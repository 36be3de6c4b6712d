import type { JobName } from '#vocabulary/ids.ts';
import type { Reply, Request } from '../inputs.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { findJob, jobChanged, jobNotFound, refuseIfOver } from './jobReplies.ts';
import { dropNomination } from './stop.ts';

/** What people do to a job's turn: hold it back, let it go, put it first, change its priority. None of it stops what runs. */
export function onHoldJob(turn: Turn, request: Extract<Request, { kind: 'holdJob' }>): Reply {
  return withJob(turn, request.name, 'held', (job) => {
    if (job.held !== null) return jobChanged(job, false);
    dropNomination(turn, job);
    turn.emit({ kind: 'JobHeld', uid: job.uid, by: request.user });
    return jobChanged(job, true);
  });
}

export function onReleaseJob(turn: Turn, request: Extract<Request, { kind: 'releaseJob' }>): Reply {
  return withJob(turn, request.name, 'released', (job) => {
    if (job.held === null) return jobChanged(job, false);
    turn.emit({ kind: 'JobReleased', uid: job.uid, by: request.user });
    return jobChanged(job, true);
  });
}

/** The last one asked for goes first. */
export function onNextJob(turn: Turn, request: Extract<Request, { kind: 'nextJob' }>): Reply {
  return withJob(turn, request.name, 'put first', (job) => {
    if (job.phase.kind !== 'pending') {
      const state = job.phase.kind === 'active' ? 'has been placed already' : `is ${job.phase.kind}`;
      return {
        kind: 'refused',
        code: 'FAILED_PRECONDITION',
        field: '',
        message: `job ${job.name} ${state}; only one that waits can be put first`,
      };
    }
    if (job.next !== null && turn.state.pending[0] === job.uid) return jobChanged(job, false);
    turn.emit({ kind: 'JobNext', uid: job.uid, by: request.user });
    return jobChanged(job, true);
  });
}

export function onPrioritizeJob(turn: Turn, request: Extract<Request, { kind: 'prioritizeJob' }>): Reply {
  return withJob(turn, request.name, 'given another priority', (job) => {
    if (job.spec.priority === request.priority) return jobChanged(job, false);
    turn.emit({ kind: 'JobPrioritized', uid: job.uid, priority: request.priority, by: request.user });
    return jobChanged(job, true);
  });
}

function withJob(turn: Turn, name: JobName, verb: string, answer: (job: JobView) => Reply): Reply {
  const job = findJob(turn.state, name);
  return job === undefined ? jobNotFound(turn.state, name) : (refuseIfOver(job, verb) ?? answer(job));
}
