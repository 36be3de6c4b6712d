import { assertNever } from '#vocabulary/assert.ts';
import { epoch, revision } from '#vocabulary/ids.ts';
import { applyAttemptEvent } from '../jobs/applyAttempt.ts';
import { applyJobEvent } from '../jobs/applyJob.ts';
import { askToTidy } from '../jobs/moves.ts';
import { applyNodeEvent } from '../nodes/applyNode.ts';
import { applyQueueEvent } from '../queues/applyQueue.ts';
import { applyReservationEvent } from '../reservations/applyReservation.ts';
import type { AccessEvent, AttemptEvent, ClusterEvent, EstimateEvent, JobEvent, NodeEvent, StampedEvent } from '../events.ts';
import type { State } from './state.ts';
import { tell } from './tell.ts';

/**
 * The fold: moves the state by one event. The only function that changes state, live and in replay alike, so that the
 * same log always gives the same state. It trusts the event: whether something may happen was decided before.
 */
export function apply(state: State, event: StampedEvent, recentEventsMax: number): void {
  state.revision = revision(state.revision + 1);
  state.atMs = event.atMs;
  state.ledger.nowMs = Math.max(state.ledger.nowMs, event.atMs);
  const told = tell(state, event);
  applyKind(state, event);
  if (told === null) return;
  const { objectKind, objectName, type, reason, message } = told;
  state.recent.push({ objectKind, objectName, type, reason, message, revision: state.revision, atMs: event.atMs });
  // Dropped in bulk: shifting one at a time would move the whole list for every event.
  if (state.recent.length > recentEventsMax * 2) state.recent.splice(0, state.recent.length - recentEventsMax);
}

function noteTold(state: State, { starts, atMs }: Extract<StampedEvent, { kind: 'StartsTold' }>): void {
  for (const { uid, forecastMs, p50Ms, p90Ms } of starts) {
    const job = state.jobs.get(uid);
    if (job !== undefined) Object.assign(job, { told: { atMs, forecastMs, p50Ms, p90Ms }, changedAt: state.revision });
  }
}

type WorkEvent = JobEvent | EstimateEvent | AttemptEvent | NodeEvent;

function applyKind(state: State, event: StampedEvent): void {
  switch (event.kind) {
    case 'ClusterCreated':
    case 'LeaderElected':
    case 'MovesAsked':
      applyClusterEvent(state, event);
      return;
    case 'TokenIssued':
    case 'TokenUsed':
    case 'TokenRemoved':
      applyAccessEvent(state, event);
      return;
    case 'QueueApplied':
    case 'QueueRemoved':
      applyQueueEvent(state, event);
      return;
    case 'ReservationApplied':
    case 'ReservationOpened':
    case 'ReservationClosed':
    case 'ReservationNodesChosen':
    case 'ReservationRemoved':
      applyReservationEvent(state, event);
      return;
    default:
      applyWorkKind(state, event);
  }
}

/** What happens to jobs, attempts and nodes. */
function applyWorkKind(state: State, event: WorkEvent & { readonly atMs: number }): void {
  switch (event.kind) {
    case 'JobCreated':
    case 'JobChanged':
    case 'JobPrioritized':
    case 'JobHeld':
    case 'JobReleased':
    case 'JobNext':
    case 'JobExpired':
    case 'JobWanted':
    case 'JobParked':
    case 'JobNominated':
    case 'NominationDropped':
    case 'GrowthChosen':
    case 'TargetChosen':
    case 'TargetDropped':
    case 'JobRemoved':
      applyJobEvent(state, event);
      return;
    case 'StartsTold':
      noteTold(state, event);
      return;
    case 'AttemptPlaced':
    case 'AttemptStarted':
    case 'WorkerChanged':
    case 'SuspendStaged':
    case 'SuspendAnswered':
    case 'SuspendCancelled':
    case 'AttemptStopping':
    case 'StopCauseAdded':
    case 'AttemptEnded':
    case 'ProgressRecorded':
    case 'CheckpointPartRecorded':
    case 'CheckpointCompleted':
      applyAttemptEvent(state, event);
      return;
    case 'NodeRegistered':
    case 'NodeLost':
    case 'NodeReturned':
    case 'NodeReady':
    case 'NodeCordoned':
    case 'NodeUncordoned':
    case 'NodeSpared':
    case 'SpareReleased':
    case 'GpuHealthChanged':
      applyNodeEvent(state, event);
      return;
    default:
      assertNever(event);
  }
}

function applyClusterEvent(state: State, event: ClusterEvent & { readonly atMs: number }): void {
  switch (event.kind) {
    case 'ClusterCreated':
      state.clusterId = event.clusterId;
      return;
    case 'LeaderElected':
      state.epoch = epoch(event.epoch);
      return;
    case 'MovesAsked':
      askToTidy(state, event);
      return;
    default:
      assertNever(event);
  }
}

function applyAccessEvent({ tokens }: State, event: AccessEvent): void {
  switch (event.kind) {
    case 'TokenIssued':
      tokens.set(event.token.id, { ...event.token, usedBy: null });
      return;
    case 'TokenUsed': {
      const token = tokens.get(event.id);
      if (token !== undefined) token.usedBy = event.node;
      return;
    }
    case 'TokenRemoved':
      tokens.delete(event.id);
      return;
    default:
      assertNever(event);
  }
}
