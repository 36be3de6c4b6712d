/** What programs said over the workload API, taken over into the state. */
import type { WorkerId } from '#vocabulary/job.ts';
import type { ObservedCheckpoint, ObservedProgress } from '#vocabulary/observed.ts';
import { withRank } from './applyAction.ts';
import type { NodeState } from './nodeState.ts';

/** A post arrived; its answer is still owed. Steps that were checked not to go back. */
export function onProgress(state: NodeState, id: WorkerId, rank: number, progress: ObservedProgress): NodeState {
  return withRank(state, id, rank, (record) => ({ ...record, progress, suspendAware: true, pendingStep: progress.step }));
}

/** The post of this step was answered with "go on". Saying it twice changes nothing. */
export function onReleased(state: NodeState, id: WorkerId, rank: number, step: number): NodeState {
  return withRank(state, id, rank, (record) => {
    const before = record.released.kind === 'step' ? record.released.step : -1;
    if (before >= step && record.pendingStep !== step) return record;
    return {
      ...record,
      released: { kind: 'step', step: Math.max(before, step) },
      pendingStep: record.pendingStep === step ? null : record.pendingStep,
    };
  });
}

/** The post went unanswered, or was answered with "stop". */
export function onWithdrawn(state: NodeState, id: WorkerId, rank: number, step: number): NodeState {
  return withRank(state, id, rank, (record) => (record.pendingStep === step ? { ...record, pendingStep: null } : record));
}

export function onCheckpoint(state: NodeState, id: WorkerId, rank: number, checkpoint: ObservedCheckpoint): NodeState {
  return withRank(state, id, rank, (record) => ({ ...record, checkpoint }));
}

/** The program polls /v1/suspend. */
export function onSuspendPoll(state: NodeState, id: WorkerId, rank: number): NodeState {
  return withRank(state, id, rank, (record) => (record.suspendAware ? record : { ...record, suspendAware: true }));
}
