import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import type { StopReason } from '#vocabulary/job.ts';
import { defaultGraceMs, stopReasons } from '#vocabulary/job.ts';
import type { AfterAttempt, LeaveReason, StopCause } from '../events.ts';
import { currentAttempt } from '../state/state.ts';
import type { AttemptView, JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';

/**
 * How an attempt comes to its end: it is asked to leave with a checkpoint (`askToLeave`), or is stopped because a part
 * of it failed (`failAttempt`), and ends when no worker of it is left (`endIfDone`). Why it ended is judged only then:
 * the rank whose peer vanished often dies before the loss of the peer's node is known, and a broken machine is never charged.
 */
export function failAttempt(turn: Turn, job: JobView, cause: StopCause, graceMs = turn.context.policy.failureGraceMs): void {
  const attempt = currentAttempt(job);
  if (attempt === undefined) return;
  const ofAttempt = { uid: job.uid, attempt: attempt.number };
  const known = attempt.causes.some((other) => other.reason === cause.reason);
  if (attempt.stage.kind !== 'stopping') turn.emit({ kind: 'AttemptStopping', ...ofAttempt, cause, graceMs });
  else if (!known) turn.emit({ kind: 'StopCauseAdded', ...ofAttempt, cause });
}

/**
 * Begins the suspend protocol; a second ask changes nothing. `why` is told to the user beside the reason. The job has its own
 * grace, or `graceMaxMs` if that is shorter.
 */
export function askToLeave(turn: Turn, job: JobView, reason: LeaveReason, why = '', graceMaxMs = Number.POSITIVE_INFINITY): void {
  const attempt = currentAttempt(job);
  if (attempt === undefined || (attempt.stage.kind !== 'starting' && attempt.stage.kind !== 'running')) return;
  const graceMs = Math.min(job.spec.checkpoint?.graceMs ?? defaultGraceMs, graceMaxMs);
  const round = attempt.roundsBefore + 1;
  const said = why === '' ? {} : { message: why };
  turn.emit({ kind: 'SuspendStaged', uid: job.uid, attempt: attempt.number, round, stage: { kind: 'ask' }, graceMs, reason, ...said });
}

/** It is leaving to come back with another number of workers: it is not to come back, for another reason. */
export function leaveForGood(
  turn: Turn,
  job: JobView,
  reason: LeaveReason,
  why: { readonly dropped: string; readonly message: string },
): void {
  const attempt = currentAttempt(job);
  if (attempt?.stage.kind !== 'suspending') return;
  turn.emit({ kind: 'NominationDropped', uid: job.uid, message: why.dropped });
  const { round, stage, graceMs } = attempt.stage;
  const said = why.message === '' ? {} : { message: why.message };
  turn.emit({ kind: 'SuspendStaged', uid: job.uid, attempt: attempt.number, round, stage, graceMs, reason, ...said });
}

/** The scheduler's own asks. */
const revocable: ReadonlySet<LeaveReason> = new Set(['Preempted', 'Moved', 'Resized']);

/** Takes the ask back while nobody was told to stop; a program that answers to signals only has been told. */
export function cancelLeaving(turn: Turn, job: JobView): void {
  const attempt = currentAttempt(job);
  if (attempt?.stage.kind !== 'suspending' || attempt.stage.stage.kind === 'decided') return;
  if (!revocable.has(attempt.stage.reason)) return;
  const isAware = job.progress?.attempt === attempt.number && attempt.workers.every((worker) => worker.progressAtMs !== null);
  const isWhole = attempt.workers.every((worker) => worker.state === 'running');
  if (isAware && isWhole) turn.emit({ kind: 'SuspendCancelled', uid: job.uid, attempt: attempt.number });
}

/** Takes the ask back, unless it shrinks and somebody else waits for a part of its place. */
export function letStay(turn: Turn, victim: JobView): void {
  const isShared = victim.move?.kind === 'asked' && turn.state.pending.some((uid) => isVictimOf(turn, uid, victim.uid));
  if (!isShared) cancelLeaving(turn, victim);
}

const isVictimOf = (turn: Turn, nominee: JobUid, uid: JobUid): boolean =>
  turn.state.jobs.get(nominee)?.nomination?.victims.includes(uid) === true;

/** A nominee that wants its place no more: who was asked for it and has not been told to stop runs on. */
export function dropNomination(turn: Turn, job: JobView, message = 'it no longer waits'): void {
  const { nomination } = job;
  if (nomination === null) return;
  turn.emit({ kind: 'NominationDropped', uid: job.uid, message });
  for (const uid of nomination.victims) {
    const victim = turn.state.jobs.get(uid);
    if (victim !== undefined) letStay(turn, victim);
  }
}

/** Ends the attempt when every worker has ended or is lost. */
export function endIfDone(turn: Turn, uid: JobUid): void {
  const job = turn.state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined) return;
  if (!attempt.workers.every((worker) => worker.state === 'ended' || worker.state === 'lost')) return;
  const causes = judgeCauses(attempt);
  const reasons = stopReasons.filter((reason) => causes.some((cause) => cause.reason === reason));
  const primary = reasons[0] ?? 'Succeeded';
  const message = causes.find((cause) => cause.reason === primary)?.message ?? 'all ranks exited with 0';
  const charged = primary === 'ApplicationFailure' || primary === 'LaunchFailure';
  const next = decideNext(turn, job, reasons, charged);
  turn.emit({
    kind: 'AttemptEnded',
    uid,
    attempt: attempt.number,
    reasons: reasons.length === 0 ? [primary] : reasons,
    message,
    charged,
    next,
  });
  if (job.wanted === 'delete') turn.emit({ kind: 'JobRemoved', uid, name: job.name });
}

function judgeCauses(attempt: AttemptView): readonly StopCause[] {
  const { stage } = attempt;
  if (stage.kind !== 'suspending') return attempt.causes;
  const stopStep = stage.stage.kind === 'ask' ? null : stage.stage.stopStep;
  // All ranks exited by themselves before they were told to stop: the program was done.
  const finished =
    attempt.workers.every((worker) => worker.message === exitedWithZero) && (stopStep === null || attempt.lastStep < stopStep);
  if (finished) return attempt.causes;
  const left = stopStep === null ? 'left when asked' : `left when asked, at step ${stopStep}`;
  const message = stage.message === '' ? left : `${left}: ${stage.message}`;
  return [...attempt.causes, { reason: stage.reason, message }];
}

/** What WorkerChanged says of a worker whose ranks all exited with 0 unasked; `judgeCauses` relies on it. */
export const exitedWithZero = 'all ranks exited with 0';

function decideNext(turn: Turn, job: JobView, reasons: readonly StopReason[], charged: boolean): AfterAttempt {
  const [primary] = reasons;
  if (primary === undefined || primary === 'Succeeded') return { kind: 'finished', outcome: 'Succeeded' };
  // Whatever else went wrong while it was stopping: its time is up.
  if (reasons.includes('MaxRuntime') || reasons.includes('DeadlineExceeded')) return { kind: 'finished', outcome: 'Failed' };
  if (charged) {
    const { max, withinMs } = job.spec.restarts;
    const since = withinMs === null ? 0 : turn.context.nowMs - withinMs;
    const failures = job.restarts.applicationAtMs.filter((atMs) => atMs >= since).length;
    if (failures + 1 > max) return { kind: 'finished', outcome: 'Failed' };
  }
  return { kind: job.wanted === 'suspend' ? 'suspended' : 'pending' };
}

/** The node is gone: what stood there is lost, and every gang with a worker there is stopped. */
export function loseWorkersOn(turn: Turn, node: NodeName, message: string): void {
  const uids = [...(turn.state.nodes.get(node)?.jobs ?? [])].sort();
  for (const uid of uids) {
    const job = turn.state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined) continue;
    for (const [worker, record] of attempt.workers.entries()) {
      if (attempt.placement[worker]?.node !== node || record.state === 'ended' || record.state === 'lost') continue;
      turn.emit({
        kind: 'WorkerChanged',
        uid,
        attempt: attempt.number,
        worker,
        state: 'lost',
        message: `node ${node} lost`,
        exitCodes: {},
      });
    }
    failAttempt(turn, job, { reason: 'NodeFailure', message, node });
    endIfDone(turn, uid);
  }
}
