/**
 * Leaving at one step. All ranks of a gang must stop after the same step, or their last checkpoint is torn and their
 * collectives hang. Rounds: `ask` gathers every rank's step; `propose` names a step S ahead of all; a rank promises to
 * stop at S when it has not gone past it, and from then on its post of S is held unanswered; once all have promised,
 * `decided` answers the held posts with "stop". A rank that had already gone past S refuses, and the controller
 * proposes a later one.
 */
import { assertNever } from '#vocabulary/assert.ts';
import type { RankRecord, ReleasedStep, SuspendRecord, WorkerRecord } from './nodeState.ts';

/** What a posted step is answered with. */
export type StepVerdict = { readonly kind: 'go' } | { readonly kind: 'hold' } | { readonly kind: 'stop'; readonly stopStep: number };

/** The verdict on a rank's post of `step`, now; `hold` is asked again when something changed. */
export function judgeStep(worker: WorkerRecord, rank: RankRecord, step: number): StepVerdict {
  const { leaving, suspend, end } = worker;
  if (leaving.kind !== 'no' || end.kind !== 'none') return { kind: 'stop', stopStep: decidedStepOf(suspend) ?? step };
  if (suspend === null) return { kind: 'go' };
  const { stage } = suspend;
  switch (stage.kind) {
    case 'ask':
      return { kind: 'go' };
    case 'propose': {
      const refused = rank.answer?.round === suspend.round && !rank.answer.accepted;
      return step < stage.stopStep || refused ? { kind: 'go' } : { kind: 'hold' };
    }
    case 'decided':
      return step < stage.stopStep ? { kind: 'go' } : { kind: 'stop', stopStep: stage.stopStep };
    default:
      return assertNever(stage);
  }
}

/** The rank with its answer to this round, when it has one to give that is not given yet. */
export function answerRound(rank: RankRecord, suspend: SuspendRecord): RankRecord {
  if (!rank.suspendAware || rank.answer?.round === suspend.round) return rank;
  const accepted = judgeRound(rank, suspend);
  return accepted === null ? rank : { ...rank, answer: { round: suspend.round, accepted } };
}

/** Null: not known yet; the rank's next post will tell. */
function judgeRound(rank: RankRecord, { stage }: SuspendRecord): boolean | null {
  switch (stage.kind) {
    case 'ask':
      return true;
    // A decision follows promises that were all given: nobody waits for an answer to it.
    case 'decided':
      return true;
    case 'propose':
      return isBelow(rank.released, rank.pendingStep, stage.stopStep);
    default:
      return assertNever(stage);
  }
}

function isBelow(released: ReleasedStep, pendingStep: number | null, stopStep: number): boolean | null {
  switch (released.kind) {
    case 'none':
      return true;
    case 'step':
      return released.step < stopStep;
    // The earlier agent may have let it pass any step below the one that it posts now.
    case 'unknown':
      return pendingStep === null ? null : pendingStep <= stopStep;
    default:
      return assertNever(released);
  }
}

/** Whether any rank of the worker asks about suspension. A worker of which none does is ended by signals. */
export function isSuspendAware(worker: WorkerRecord): boolean {
  return worker.ranks.some((rank) => rank.suspendAware);
}

export function decidedStepOf(suspend: SuspendRecord | null): number | null {
  return suspend?.stage.kind === 'decided' ? suspend.stage.stopStep : null;
}
