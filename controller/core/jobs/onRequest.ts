import type { JobName, UserName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { defaultGraceMs } from '#vocabulary/job.ts';
import type { JobWanted } from '../events.ts';
import type { Reply, Request } from '../inputs.ts';
import { suggest } from '../suggest.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { askToLeave, dropNomination, failAttempt } from './stop.ts';

/** Creates a job, or changes what of it may change. Applying the same again changes nothing. */
export function onApplyJob(turn: Turn, request: Extract<Request, { kind: 'applyJob' }>): Reply {
  const refusal = findRefusal(turn, request.spec);
  if (refusal !== null) return refusal;
  const { name, user, labels, annotations, spec } = request;
  const uid = turn.state.jobsByName.get(name);
  const old = uid === undefined ? undefined : turn.state.jobs.get(uid);
  if (old === undefined) {
    if (turn.state.jobs.size >= turn.context.policy.jobsMax) {
      return {
        kind: 'refused',
        code: 'RESOURCE_EXHAUSTED',
        field: '',
        message: `the cluster keeps at most ${turn.context.policy.jobsMax} jobs; delete finished ones`,
      };
    }
    turn.emit({ kind: 'JobCreated', uid: request.uid, name, user, labels, annotations, spec });
    return { kind: 'applied', outcome: 'created', uid: request.uid };
  }
  const fixed = findFixedDifference(old.spec, spec);
  if (fixed !== null) {
    return {
      kind: 'refused',
      code: 'ALREADY_EXISTS',
      field: `spec.${fixed}`,
      message: `job ${name} exists and its ${fixed} cannot change (priority, preemptible, restarts and maxRuntime can); delete it first or take another name`,
    };
  }
  if (same(old.spec, spec) && same(old.labels, labels) && same(old.annotations, annotations))
    return { kind: 'applied', outcome: 'unchanged', uid: old.uid };
  turn.emit({ kind: 'JobChanged', uid: old.uid, labels, annotations, spec });
  return { kind: 'applied', outcome: 'configured', uid: old.uid };
}

/** Stops it, with a checkpoint unless `now`, and removes it. */
export function onDeleteJob(turn: Turn, request: Extract<Request, { kind: 'deleteJob' }>): Reply {
  const job = findJob(turn, request.name);
  if (job === undefined) return notFound(turn, request.name);
  const attempt = currentAttempt(job);
  if (attempt === undefined) {
    dropNomination(turn, job);
    turn.emit({ kind: 'JobRemoved', uid: job.uid, name: job.name });
    return changed(job, true);
  }
  const first = want(turn, job, 'delete', request.user);
  if (request.now) failAttempt(turn, job, { reason: 'Deleted', message: `deleted at once by ${request.user}` }, 0);
  else askToLeave(turn, job, 'Deleted');
  return changed(job, first);
}

/** Asks a running job to leave with a checkpoint; a waiting one stops waiting. */
export function onSuspendJob(turn: Turn, request: Extract<Request, { kind: 'suspendJob' }>): Reply {
  const job = findJob(turn, request.name);
  if (job === undefined) return notFound(turn, request.name);
  const over = refuseIfOver(job, 'suspended');
  if (over !== null) return over;
  const first = want(turn, job, 'suspend', request.user);
  if (job.phase.kind === 'pending') {
    dropNomination(turn, job);
    turn.emit({ kind: 'JobParked', uid: job.uid, phase: 'suspended' });
  } else askToLeave(turn, job, 'Suspended');
  return changed(job, first);
}

export function onResumeJob(turn: Turn, request: Extract<Request, { kind: 'resumeJob' }>): Reply {
  const job = findJob(turn, request.name);
  if (job === undefined) return notFound(turn, request.name);
  const over = refuseIfOver(job, 'resumed');
  if (over !== null) return over;
  const first = want(turn, job, 'run', request.user);
  // One that is still leaving goes back into the queue when it has left.
  if (job.phase.kind === 'suspended') turn.emit({ kind: 'JobParked', uid: job.uid, phase: 'pending' });
  return changed(job, first);
}

/** Ends jobs that have run as long as they promised to. */
export function endOverdueJobs(turn: Turn): void {
  for (const job of turn.state.jobs.values()) {
    const attempt = currentAttempt(job);
    const { maxRuntimeMs, checkpoint } = job.spec;
    if (maxRuntimeMs === null || attempt === undefined || attempt.stage.kind === 'stopping') continue;
    const ranMs = job.attempts.reduce(
      (sum, one) => sum + (one.startedAtMs === null ? 0 : (one.endedAtMs ?? turn.context.nowMs) - one.startedAtMs),
      0,
    );
    if (ranMs < maxRuntimeMs) continue;
    failAttempt(
      turn,
      job,
      { reason: 'MaxRuntime', message: `ran ${Math.round(ranMs / 1000)} s of at most ${Math.round(maxRuntimeMs / 1000)} s` },
      checkpoint?.graceMs ?? defaultGraceMs,
    );
  }
}

/** Keeps the newest finished jobs. */
export function removeOldJobs(turn: Turn): void {
  const { finishedJobsMax } = turn.context.policy;
  // Cheap in nearly every tick: fewer jobs in all than may be finished.
  if (turn.state.jobs.size <= finishedJobsMax) return;
  const finished = [...turn.state.jobs.values()].flatMap((job) =>
    job.phase.kind === 'finished' ? [{ uid: job.uid, name: job.name, atMs: job.phase.atMs }] : [],
  );
  finished.sort((left, right) => left.atMs - right.atMs || (left.uid < right.uid ? -1 : 1));
  for (const { uid, name } of finished.slice(0, Math.max(0, finished.length - finishedJobsMax)))
    turn.emit({ kind: 'JobRemoved', uid, name });
}

function want(turn: Turn, job: JobView, wanted: JobWanted, by: UserName): boolean {
  if (job.wanted === wanted) return false;
  turn.emit({ kind: 'JobWanted', uid: job.uid, wanted, by });
  return true;
}

function refuseIfOver(job: JobView, verb: string): Reply | null {
  const why = job.phase.kind === 'finished' ? `has finished (${job.phase.outcome})` : job.wanted === 'delete' ? 'is being deleted' : null;
  return why === null
    ? null
    : { kind: 'refused', code: 'FAILED_PRECONDITION', field: '', message: `job ${job.name} ${why} and cannot be ${verb}` };
}

function findRefusal(turn: Turn, spec: JobSpec): Reply | null {
  const { queues } = turn.state;
  if (!queues.has(spec.queue)) {
    return {
      kind: 'refused',
      code: 'INVALID_ARGUMENT',
      field: 'spec.queue',
      message: `queue "${spec.queue}" does not exist${suggest(spec.queue, queues.keys())} (queues: ${[...queues.keys()].sort().slice(0, 10).join(', ')})`,
    };
  }
  const { levels } = turn.context.policy;
  const unknown = spec.constraints.findIndex((constraint) => !levels.includes(constraint.level));
  if (unknown >= 0) {
    return {
      kind: 'refused',
      code: 'INVALID_ARGUMENT',
      field: `spec.placement.constraints[${unknown}].level`,
      message: `level "${spec.constraints[unknown]?.level}" is not one of this cluster's: ${levels.join(', ')}`,
    };
  }
  return null;
}

/** The first field that differs and that may not; null: none. */
function findFixedDifference(old: JobSpec, wanted: JobSpec): string | null {
  const fixed = [
    'queue',
    'gpuModels',
    'workers',
    'gpusPerWorker',
    'gpuShareMilli',
    'processesPerWorker',
    'mesh',
    'constraints',
    'checkpoint',
    'template',
  ] as const;
  return fixed.find((field) => !same(old[field], wanted[field])) ?? null;
}

/** Specs are plain JSON made by one compiler, so equal ones print the same. */
const same = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

function findJob(turn: Turn, name: JobName): JobView | undefined {
  const uid = turn.state.jobsByName.get(name);
  return uid === undefined ? undefined : turn.state.jobs.get(uid);
}

function notFound(turn: Turn, name: JobName): Reply {
  return {
    kind: 'refused',
    code: 'NOT_FOUND',
    field: '',
    message: `jobs "${name}" not found${suggest(name, turn.state.jobsByName.keys())}`,
  };
}

function changed(job: JobView, isNew: boolean): Reply {
  return { kind: 'changed', changed: isNew, jobs: [job.name], uid: job.uid };
}
