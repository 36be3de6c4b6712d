import { epoch } from '#vocabulary/ids.ts';
import { onIssueToken, onRedeemJoinToken } from './access/onRequest.ts';
import type { Context } from './context.ts';
import type { StampedEvent } from './events.ts';
import type { Input, Reply } from './inputs.ts';
import { onApplyJob } from './jobs/onApplyJob.ts';
import { onHoldJob, onNextJob, onPrioritizeJob, onReleaseJob } from './jobs/onOrderRequest.ts';
import { onDeleteJob, onResumeJob, onSuspendJob } from './jobs/onRequest.ts';
import { endOverdueJobs, removeOldJobs } from './jobs/overdue.ts';
import { onStartsForecast } from './learn/onStartsForecast.ts';
import { onHello, onNodeSilent, onReport } from './nodes/onNode.ts';
import { onCordonNode, onUncordonNode } from './nodes/onRequest.ts';
import { onApplyQueue, onDeleteQueue } from './queues/onRequest.ts';
import { keepReservations } from './reservations/keepReservations.ts';
import { onApplyReservation, onDeleteReservation } from './reservations/onRequest.ts';
import { defrag, defragWhenDue } from './schedule/defrag/defrag.ts';
import { runPass } from './schedule/pass.ts';
import { onPlaceJob } from './schedule/placeExactly.ts';
import type { Waits } from './schedule/waiting/waits.ts';
import type { State } from './state/state.ts';
import type { Turn } from './turn.ts';
import { beginTurn } from './turn.ts';

/** What one step came to. Nothing of it may be told to anybody before the events are durable. */
export interface StepResult {
  readonly events: readonly StampedEvent[];
  /** One for each input, in order. */
  readonly replies: readonly Reply[];
  /** Why each waiting job waits; null: nothing changed since the last step that said so. */
  readonly waits: Waits | null;
  /** Another pass is due (PassResult.more): step again at once, with or without inputs. */
  readonly more: boolean;
}

/**
 * The only entry of the core: folds the inputs, then runs one scheduling pass if something changed that it depends on,
 * or the time came that a waiting job waits for.
 * Pure but for `state`, which it owns: no clock, no randomness, no I/O. The same state, inputs and context give the same
 * events, byte for byte; a step with no inputs on a settled state gives none.
 */
export function step(state: State, inputs: readonly Input[], context: Context): StepResult {
  const { turn, events } = beginTurn(state, context);
  const replies = inputs.map((input) => onInput(turn, input));
  if (context.policy.defrag.everyMs > 0) state.defragDueMs = defragWhenDue(turn, state.defragDueMs);
  const timeCame = state.wakeAtMs !== null && context.nowMs >= state.wakeAtMs;
  if (!state.scheduleDirty && !timeCame) return { events, replies, waits: null, more: false };
  keepReservations(turn);
  const { waits, more, wakeAtMs, awaitsSave, movesFromMs } = runPass(turn);
  // Who was placed in the pass may be due before anybody else. What that changes is for another pass.
  state.scheduleDirty = more;
  const dueMs = keepReservations(turn);
  state.wakeAtMs = dueMs === null ? wakeAtMs : Math.min(dueMs, wakeAtMs ?? dueMs);
  state.awaitsSave = awaitsSave;
  state.movesFromMs = movesFromMs;
  return { events, replies, waits, more: state.scheduleDirty };
}

function onInput(turn: Turn, input: Input): Reply {
  switch (input.kind) {
    case 'applyJob':
      return onApplyJob(turn, input);
    case 'applyQueue':
      return onApplyQueue(turn, input);
    case 'placeJob':
      return onPlaceJob(turn, input);
    case 'deleteJob':
      return onDeleteJob(turn, input);
    case 'deleteQueue':
      return onDeleteQueue(turn, input.name);
    case 'applyReservation':
      return onApplyReservation(turn, input);
    case 'deleteReservation':
      return onDeleteReservation(turn, input.name, input.user);
    case 'suspendJob':
      return onSuspendJob(turn, input);
    case 'resumeJob':
      return onResumeJob(turn, input);
    case 'holdJob':
      return onHoldJob(turn, input);
    case 'releaseJob':
      return onReleaseJob(turn, input);
    case 'nextJob':
      return onNextJob(turn, input);
    case 'prioritizeJob':
      return onPrioritizeJob(turn, input);
    case 'cordonNode':
      return onCordonNode(turn, input);
    case 'uncordonNode':
      return onUncordonNode(turn, input);
    case 'defrag':
      return { kind: 'defragged', plan: defrag(turn, input.user, input.movesMax) };
    case 'issueToken':
      return onIssueToken(turn, input);
    case 'redeemJoinToken':
      return onRedeemJoinToken(turn, input);
    case 'hello':
      return onHello(turn, input.hello);
    case 'report':
      return onReport(turn, input.node, input.report);
    case 'nodeSilent':
      return onNodeSilent(turn, input.node, input.silentMs);
    case 'createCluster':
      turn.emit({ kind: 'ClusterCreated', clusterId: input.clusterId });
      return { kind: 'noted' };
    case 'electLeader':
      turn.emit({ kind: 'LeaderElected', epoch: epoch(turn.state.epoch + 1), version: input.version });
      return { kind: 'noted' };
    case 'startsForecast':
      onStartsForecast(turn, input.starts);
      return { kind: 'noted' };
    case 'tick':
      endOverdueJobs(turn);
      removeOldJobs(turn);
      return { kind: 'noted' };
  }
}
