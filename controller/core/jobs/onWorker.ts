import type { WorkerId } from '#vocabulary/job.ts';
import { processesOf } from '#vocabulary/job.ts';
import type { ObservedRank, ObservedWorker } from '#vocabulary/observed.ts';
import type { ExitCodes, StopCause, WorkerRecordState } from '../events.ts';
import { currentAttempt } from '../state/state.ts';
import type { CheckpointPart } from '../state/state.ts';
import type { AttemptView, JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { endIfDone, exitedWithZero, failAttempt } from './stop.ts';
import { advanceSuspend, noteSuspendAnswer } from './suspend.ts';

/** The job and its current attempt, if this worker belongs to it and stands on this node; all else is of the past. */
export function findCurrent(turn: Turn, node: string, id: WorkerId): { readonly job: JobView; readonly attempt: AttemptView } | null {
  const job = turn.state.jobs.get(id.job);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined || attempt.number !== id.attempt) return null;
  return attempt.placement[id.worker]?.node === node ? { job, attempt } : null;
}

/** One worker as its agent sees it now. Seeing the same again changes nothing. */
export function onWorker(turn: Turn, job: JobView, attempt: AttemptView, observed: ObservedWorker): void {
  const record = attempt.workers[observed.id.worker];
  if (record === undefined || record.state === 'ended' || record.state === 'lost') return;
  noteProgress(turn, job, attempt, observed);
  noteCheckpoints(turn, job, attempt, observed);
  noteSuspendAnswer(turn, job, attempt, observed);
  noteState(turn, job, attempt, observed);
  advanceSuspend(turn, job.uid);
  endIfDone(turn, job.uid);
}

function noteState(turn: Turn, job: JobView, attempt: AttemptView, observed: ObservedWorker): void {
  const { worker } = observed.id;
  const { state } = observed;
  const ofAttempt = { uid: job.uid, attempt: attempt.number };
  const change = (to: WorkerRecordState, message: string, exitCodes: ExitCodes): void => {
    if (attempt.workers[worker]?.state !== to) turn.emit({ kind: 'WorkerChanged', ...ofAttempt, worker, state: to, message, exitCodes });
  };
  if (state.kind !== 'ended') {
    change(state.kind, '', {});
    if (attempt.stage.kind === 'starting' && attempt.workers.every((other) => other.state === 'running'))
      turn.emit({ kind: 'AttemptStarted', ...ofAttempt });
    return;
  }
  const exitCodes: Record<number, number | null> = {};
  for (const rank of observed.ranks) exitCodes[rank.rank] = rank.state.kind === 'ended' ? rank.state.exitCode : null;
  const cause = judgeEnd(turn, attempt, observed);
  change('ended', cause?.message ?? (state.reason === 'exited' ? exitedWithZero : 'stopped as asked'), exitCodes);
  const place = attempt.placement[worker];
  if (cause !== null) failAttempt(turn, job, place === undefined ? cause : { ...cause, node: place.node });
}

/** What a worker's end means for its gang; null: nothing is wrong. */
function judgeEnd(turn: Turn, attempt: AttemptView, observed: ObservedWorker): StopCause | null {
  const { state, id } = observed;
  if (state.kind !== 'ended') return null;
  const place = attempt.placement[id.worker];
  const where = `worker ${id.worker} on ${place?.node ?? '?'}`;
  switch (state.reason) {
    case 'killed':
      return attempt.stage.kind === 'stopping' || attempt.stage.kind === 'suspending'
        ? null
        : { reason: 'NodeFailure', message: `${where} was killed by its agent: ${state.message}` };
    case 'launch-failed':
      return { reason: 'LaunchFailure', message: `${where} could not be started: ${state.message}` };
    case 'vanished':
      // The exit status is not known, so the user is not charged.
      return { reason: 'NodeFailure', message: `${where} vanished: ${state.message}` };
    case 'exited': {
      const failed = observed.ranks.find((rank) => rank.state.kind === 'ended' && rank.state.exitCode !== 0);
      if (failed === undefined) return null;
      const node = place === undefined ? undefined : turn.state.nodes.get(place.node);
      const sick = place?.gpus.find((gpu) => node?.health[gpu]?.healthy === false);
      const message = `rank ${failed.rank} on ${place?.node ?? '?'} ${describeExit(failed)}`;
      return sick === undefined
        ? { reason: 'ApplicationFailure', message }
        : { reason: 'GpuFailure', message: `${message} after GPU ${sick} failed` };
    }
  }
}

function describeExit(rank: ObservedRank): string {
  if (rank.state.kind !== 'ended') return 'still runs';
  if (rank.state.signal !== null) return `was ended by ${rank.state.signal}`;
  return rank.state.exitCode === null ? 'ended with an unknown status' : `exited with ${rank.state.exitCode}`;
}

/** Recorded at most once in a while for each worker; and with a new checkpoint, and at its end, so that no step told is behind what is saved. */
function noteProgress(turn: Turn, job: JobView, attempt: AttemptView, observed: ObservedWorker): void {
  const { policy, nowMs } = turn.context;
  const known = job.progress !== null && job.progress.attempt === attempt.number ? job.progress.steps : {};
  const steps: Record<number, number> = {};
  let foremost: ObservedRank['progress'] = null;
  for (const { rank, progress } of observed.ranks) {
    if (progress === null) continue;
    if (progress.step > (known[rank] ?? -1)) steps[rank] = progress.step;
    if (foremost === null || progress.step > foremost.step) foremost = progress;
  }
  if (foremost === null || Object.keys(steps).length === 0) return;
  const lastMs = attempt.workers[observed.id.worker]?.progressAtMs ?? null;
  // A gang of thousands must not fill the log: each worker speaks less often.
  const periodMs = Math.max(policy.progressRecordMs, attempt.workers.length * 20);
  const isDue =
    lastMs === null ||
    nowMs - lastMs >= periodMs ||
    observed.state.kind === 'ended' ||
    observed.ranks.some((rank) => hasNewPart(attempt, rank));
  if (!isDue) return;
  const { step, loss, tokens, stepSeconds } = foremost;
  turn.emit({
    kind: 'ProgressRecorded',
    uid: job.uid,
    attempt: attempt.number,
    worker: observed.id.worker,
    progress: { step, loss: finite(loss), tokens: finite(tokens), stepSeconds: finite(stepSeconds), steps },
  });
}

/** JSON knows no NaN: the log would fold to another state than the live one. */
const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);

/** A part that is newer than the last complete checkpoint; complete when the slowest rank has reported one. */
function noteCheckpoints(turn: Turn, job: JobView, attempt: AttemptView, observed: ObservedWorker): void {
  const ofAttempt = { uid: job.uid, attempt: attempt.number };
  const parts = new Map<string, CheckpointPart & { ranks: number[] }>();
  for (const one of observed.ranks) {
    const { rank, checkpoint } = one;
    if (checkpoint === null || !hasNewPart(attempt, one)) continue;
    const { step, path, scope, tookMs } = checkpoint;
    if (scope === 'job') {
      turn.emit({ kind: 'CheckpointCompleted', ...ofAttempt, step, path, ...longer(undefined, tookMs) });
      continue;
    }
    const key = `${step} ${path}`;
    const known = parts.get(key);
    parts.set(key, { step, path, ...longer(known?.tookMs, tookMs), ranks: [...(known?.ranks ?? []), rank] });
  }
  for (const part of parts.values()) turn.emit({ kind: 'CheckpointPartRecorded', ...ofAttempt, ...part });
  const complete = findComplete(attempt, attempt.placement.length * processesOf(job.spec));
  if (complete !== null) turn.emit({ kind: 'CheckpointCompleted', ...ofAttempt, ...complete });
}

function hasNewPart(attempt: AttemptView, { rank, checkpoint }: ObservedRank): boolean {
  return checkpoint !== null && checkpoint.step > Math.max(attempt.lastCheckpointStep, attempt.parts?.get(rank)?.step ?? 0);
}

/**
 * Every rank saves at the same steps, so the slowest rank's newest part is whole. No rank steps on before the last one has
 * saved, so the longest time is the gang's.
 */
function findComplete(attempt: AttemptView, worldSize: number): CheckpointPart | null {
  if (attempt.parts === null || attempt.parts.size < worldSize) return null;
  let slowest: CheckpointPart | null = null;
  for (const part of attempt.parts.values()) if (slowest === null || part.step < slowest.step) slowest = part;
  if (slowest === null) return null;
  const { step, path } = slowest;
  let longest: Took = {};
  for (const part of attempt.parts.values()) if (part.step === step) longest = longer(longest.tookMs, part.tookMs);
  return { step, path, ...longest };
}

type Took = Pick<CheckpointPart, 'tookMs'>;

/** Of two times, of which either may not have been told. */
function longer(left: number | undefined, right: number | null | undefined): Took {
  const told = [left, right].filter((tookMs) => typeof tookMs === 'number');
  return told.length === 0 ? {} : { tookMs: Math.max(...told) };
}
