import type { JobUid } from '#vocabulary/ids.ts';
import type { ObservedWorker } from '#vocabulary/observed.ts';
import { currentAttempt } from '../state/state.ts';
import type { AttemptView, JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';

/**
 * How all ranks come to stop at one step, though they learn of it at different times (a two-phase agreement).
 *
 *   ask      every agent answers with the last step that its ranks have posted
 *   propose  a step ahead of all of them; an agent accepts if none of its ranks has posted it yet, and from then on holds
 *            a rank that reaches it
 *   decided  all accepted: ranks stop there. If one had already passed it, a later step is proposed in a new round.
 *
 * A held rank waits in its progress call, so no rank can pass a step that was accepted. A rank that never asks cannot
 * agree: its agent ends it by SIGTERM and the grace period. Every stage is an event, so a new leader goes on from it.
 */
export function noteSuspendAnswer(turn: Turn, job: JobView, attempt: AttemptView, observed: ObservedWorker): void {
  const { stage } = attempt;
  const { worker } = observed.id;
  if (stage.kind !== 'suspending' || stage.stage.kind === 'decided' || stage.answers.has(worker)) return;
  const living = observed.ranks.filter((rank) => rank.state.kind !== 'ended');
  if (living.length === 0 || !living.every((rank) => rank.suspendAnswer?.round === stage.round)) return;
  turn.emit({
    kind: 'SuspendAnswered',
    uid: job.uid,
    attempt: attempt.number,
    worker,
    round: stage.round,
    accepted: living.every((rank) => rank.suspendAnswer?.accepted === true),
    step: Math.max(...living.map((rank) => rank.progress?.step ?? 0)),
  });
}

/** Goes to the next stage when every living worker has answered this one. */
export function advanceSuspend(turn: Turn, uid: JobUid): void {
  const job = turn.state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined || attempt.stage.kind !== 'suspending') return;
  const { stage, answers, round, graceMs, reason, message } = attempt.stage;
  if (stage.kind === 'decided') return;
  const living = attempt.workers.flatMap((worker, index) => (worker.state === 'ended' || worker.state === 'lost' ? [] : [index]));
  if (living.length === 0 || !living.every((worker) => answers.has(worker))) return;
  const staged = {
    kind: 'SuspendStaged',
    uid,
    attempt: attempt.number,
    round: round + 1,
    graceMs,
    reason,
    ...(message === '' ? {} : { message }),
  } as const;
  const accepted = stage.kind === 'propose' && [...answers.values()].every((answer) => answer.accepted);
  if (accepted) {
    turn.emit({ ...staged, stage: { kind: 'decided', stopStep: stage.stopStep } });
    return;
  }
  const foremost = Math.max(...[...answers.values()].map((answer) => answer.step));
  turn.emit({ ...staged, stage: { kind: 'propose', stopStep: foremost + marginSteps(turn, job) } });
}

/** Far enough that the proposal arrives before the foremost rank does. */
function marginSteps(turn: Turn, job: JobView): number {
  const stepMs = (job.progress?.stepSeconds ?? 1) * 1000;
  return Math.max(2, Math.ceil(turn.context.policy.suspendMarginMs / Math.max(1, stepMs)));
}
