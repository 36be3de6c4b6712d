import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { AttemptEvent, JobEvent, NodeEvent, QueueEvent, SpareFor, StampedEvent } from '../events.ts';
import { tellReservation } from '../reservations/tellReservation.ts';
import { describeSwap, placesToKeep } from '../schedule/swap.ts';
import type { RecentEvent } from './state.ts';
import { currentAttempt } from './state.ts';
import type { JobView, StateView } from './view.ts';

export type Told = Omit<RecentEvent, 'revision' | 'atMs'>;

/** What of an event people are told, in one sentence; null for what only machines need. Called before the event is folded. */
export function tell(state: StateView, event: StampedEvent): Told | null {
  switch (event.kind) {
    case 'ClusterCreated':
      return cluster('ClusterCreated', `cluster ${event.clusterId}`);
    case 'LeaderElected':
      return cluster('LeaderElected', `epoch ${event.epoch}, version ${event.version}`);
    case 'MovesAsked':
      return cluster(
        'MovesAsked',
        `${event.by === null ? 'due' : `by ${event.by}`}: ${event.moves.length} ${event.moves.length === 1 ? 'job is' : 'jobs are'} asked to move, so that free room lies together`,
      );
    case 'QueueApplied':
    case 'QueueRemoved':
      return tellQueue(event);
    case 'ReservationApplied':
    case 'ReservationOpened':
    case 'ReservationClosed':
    case 'ReservationNodesChosen':
    case 'ReservationRemoved':
      return tellReservation(state, event);
    case 'TokenIssued':
    case 'TokenRemoved':
    case 'StartsTold':
      return null;
    case 'TokenUsed':
      return tellJoined(event.node);
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
      return tellJob(state, event);
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
      return tellAttempt(state, event);
    case 'NodeRegistered':
    case 'NodeLost':
    case 'NodeReturned':
    case 'NodeReady':
    case 'NodeCordoned':
    case 'NodeUncordoned':
    case 'NodeSpared':
    case 'SpareReleased':
    case 'GpuHealthChanged':
      return tellNode(state, event);
  }
}

function tellJoined(objectName: NodeName): Told {
  return { objectKind: 'Node', objectName, type: 'Normal', reason: 'Joined', message: 'got a certificate for a join token' };
}

function tellQueue({ kind, name }: QueueEvent): Told {
  const [reason, message] = kind === 'QueueApplied' ? ['Applied', 'queue applied'] : ['Removed', 'queue removed'];
  return { objectKind: 'Queue', objectName: name, type: 'Normal', reason, message };
}

function tellJob(state: StateView, event: JobEvent): Told | null {
  const say = sayOf(state, event.uid);
  switch (event.kind) {
    case 'JobCreated':
      return {
        objectKind: 'TrainingJob',
        objectName: event.name,
        type: 'Normal',
        reason: 'Created',
        message: `by ${event.user} in queue ${event.spec.queue}`,
      };
    case 'JobChanged':
      return say('Changed', 'spec or labels changed');
    case 'JobWanted':
      return say({ run: 'ResumeRequested', suspend: 'SuspendRequested', delete: 'DeleteRequested' }[event.wanted], `by ${event.by}`);
    case 'JobPrioritized':
      return say('PriorityChanged', `to ${event.priority} by ${event.by}`);
    case 'JobHeld':
      return say('Held', `by ${event.by}`);
    case 'JobReleased':
      return say('Released', `by ${event.by}`);
    case 'JobNext':
      return say('PutFirst', `by ${event.by}`);
    case 'JobExpired':
      return say(event.reason, event.message, true);
    case 'JobParked':
      return say(event.phase === 'suspended' ? 'Suspended' : 'Queued', 'holds no GPUs');
    case 'JobNominated':
      return say('Nominated', describeNomination(state, event));
    case 'NominationDropped':
      return say('NominationDropped', event.message);
    case 'GrowthChosen':
      return null;
    case 'TargetChosen':
      return say('TargetChosen', `${[...new Set(event.placement.map(({ node }) => node))].join(', ')} empty for it from now on`);
    case 'TargetDropped':
      return say('TargetDropped', event.message);
    case 'JobRemoved':
      return say('Removed', 'job removed');
  }
}

function tellAttempt(state: StateView, event: AttemptEvent): Told | null {
  const say = sayOf(state, event.uid);
  const of = `attempt ${event.attempt}`;
  switch (event.kind) {
    case 'AttemptPlaced': {
      const from = event.resume === null ? 'from the start' : `from the checkpoint of step ${event.resume.step}`;
      const swap = describeSwap(placesToKeep(state.jobs.get(event.uid) ?? {}), event.placement);
      return say('Placed', swap === null ? `${of} on ${describePlacement(event.placement)}, ${from}` : `${of}: ${swap}; ${from}`);
    }
    case 'AttemptStarted':
      return say('Started', `${of}: all workers run`);
    case 'WorkerChanged':
      if (event.state !== 'ended' && event.state !== 'lost') return null;
      return say(
        event.state === 'lost' ? 'WorkerLost' : 'WorkerEnded',
        `${of} worker ${event.worker}: ${event.message}`,
        event.state === 'lost',
      );
    case 'SuspendStaged':
      if (event.stage.kind === 'ask') {
        const why = event.message === undefined ? '' : `: ${event.message}`;
        return say('Suspending', describeMove(state, event) ?? `${of} is asked to leave with a checkpoint (${event.reason})${why}`);
      }
      return event.stage.kind === 'decided' ? say('StopStepDecided', `${of}: every rank stops at step ${event.stage.stopStep}`) : null;
    case 'SuspendCancelled':
      return say('SuspendCancelled', `${of} runs on: its place is no longer needed`);
    case 'AttemptStopping':
      // What a rank's end means is judged when all workers are accounted for: its peer's node may be the one that broke.
      return say('Stopping', `${of}: ${event.cause.message}`, isFailure(event.cause.reason));
    case 'StopCauseAdded':
      return say(event.cause.reason, `${of}: ${event.cause.message}`, isFailure(event.cause.reason));
    case 'AttemptEnded':
      return say(event.reasons[0] ?? 'Ended', `${of} ended: ${event.message}`, isFailure(event.reasons[0] ?? 'Succeeded'));
    case 'CheckpointCompleted':
      return say('Checkpointed', `${of}: step ${event.step} at ${event.path}`);
    case 'SuspendAnswered':
    case 'ProgressRecorded':
    case 'CheckpointPartRecorded':
      return null;
  }
}

function tellNode(state: StateView, event: NodeEvent): Told | null {
  const say = (reason: string, message: string, warning = false): Told => ({
    objectKind: 'Node',
    objectName: event.node,
    type: warning ? 'Warning' : 'Normal',
    reason,
    message,
  });
  switch (event.kind) {
    case 'NodeRegistered':
      return say(
        'Registered',
        `${event.inventory.gpus.length} GPUs at ${event.inventory.path.join('/')}, agent ${event.inventory.agentVersion}`,
      );
    case 'NodeLost':
      return say('NodeLost', event.message, true);
    case 'NodeReturned':
      return say('Returned', `still holds ${event.held} workers that it must end first`);
    case 'NodeReady':
      return say('Ready', 'takes work');
    case 'NodeCordoned':
      return say(event.drain ? 'Draining' : 'Cordoned', `by ${event.by}${event.reason === '' ? '' : `: ${event.reason}`}`);
    case 'NodeUncordoned':
      return say('Uncordoned', `by ${event.by}`);
    case 'NodeSpared':
      return say('Spare', `kept for ${describeSpareFor(state, event.for)}`);
    case 'SpareReleased':
      return say('SpareReleased', event.message);
    case 'GpuHealthChanged':
      return event.healthy
        ? say('GpuHealthy', `GPU ${event.gpu} is healthy again`)
        : say('GpuUnhealthy', `GPU ${event.gpu}: ${event.code} ${event.message}`, true);
  }
}

/** `job a`, `the pool of z1/b1`. */
export function describeSpareFor(state: StateView, spare: SpareFor): string {
  switch (spare.kind) {
    case 'job':
      return `job ${state.jobs.get(spare.uid)?.name ?? spare.uid}`;
    case 'pool':
      return `the pool of ${spare.domain}`;
    case 'label':
      return 'all, by its label';
  }
}

type Say = (reason: string, message: string, warning?: boolean) => Told;

function sayOf(state: StateView, uid: JobUid): Say {
  const objectName = state.jobs.get(uid)?.name ?? uid;
  return (reason, message, warning = false) => ({
    objectKind: 'TrainingJob',
    objectName,
    type: warning ? 'Warning' : 'Normal',
    reason,
    message,
  });
}

function cluster(reason: string, message: string): Told {
  return { objectKind: 'Cluster', objectName: 'cluster', type: 'Normal', reason, message };
}

function describeNomination(state: StateView, { victims, moves = [] }: Extract<JobEvent, { kind: 'JobNominated' }>): string {
  const names = (uids: readonly JobUid[]): string => uids.map((uid) => state.jobs.get(uid)?.name ?? uid).join(', ');
  const shrinking = moves.filter((move) => isSmaller(state.jobs.get(move.uid), move.placement)).map(({ uid }) => uid);
  const moving = moves.map(({ uid }) => uid).filter((uid) => !shrinking.includes(uid));
  const leaving = victims.filter((uid) => !moving.includes(uid) && !shrinking.includes(uid));
  const parts = [
    ...(leaving.length === 0 ? [] : [`${names(leaving)} to leave`]),
    ...(shrinking.length === 0 ? [] : [`${names(shrinking)} to shrink`]),
    ...(moving.length === 0 ? [] : [`${names(moving)} to move`]),
  ];
  return `waits for ${parts.join(' and ')}`;
}

function isSmaller(job: JobView | undefined, placement: Placement): boolean {
  const attempt = job === undefined ? undefined : currentAttempt(job);
  return attempt !== undefined && placement.length < attempt.placement.length;
}

/** null: the job is not asked to start again elsewhere or with another number of workers. */
function describeMove(state: StateView, { uid, attempt, reason }: Extract<AttemptEvent, { kind: 'SuspendStaged' }>): string | null {
  const job = state.jobs.get(uid);
  const move = job?.move;
  if (job === undefined || move?.kind !== 'asked') return null;
  const from = currentAttempt(job)?.placement ?? [];
  const to = move.placement;
  if (reason === 'Resized' && move.gang === null) {
    const added = to.filter(({ node, gpus }) => !from.some((place) => place.node === node && place.gpus.join() === gpus.join()));
    return `attempt ${attempt} is asked to grow from ${from.length} to ${to.length} workers: nobody wants ${describePlacement(added)}`;
  }
  const gang = move.gang === null ? undefined : state.jobs.get(move.gang);
  const name = gang?.name ?? move.gang ?? '';
  if (reason === 'Resized')
    return `attempt ${attempt} is asked to shrink from ${from.length} to ${to.length} workers so that job ${name} can start`;
  if (reason !== 'Moved') return null;
  const kept = describePlacement(to);
  if (move.gang === null) return `attempt ${attempt} is asked to move so that free room lies together; ${kept} is kept for it`;
  const hole = gang?.nomination === undefined || gang.nomination === null ? '' : ` on ${describePlacement(gang.nomination.placement)}`;
  return `attempt ${attempt} is asked to move so that job ${name} can start${hole}; ${kept} is kept for it`;
}

const isFailure = (reason: string): boolean => reason.endsWith('Failure') || reason === 'MaxRuntime' || reason === 'DeadlineExceeded';

/** `n1[0,1] n2[0,1]`; long gangs are cut. */
function describePlacement(placement: Placement): string {
  const [first] = placement;
  if (placement.length === 1 && first !== undefined) return `${first.node}[${first.gpus.join(',')}]`;
  const gpus = new Map<NodeName, number[]>();
  for (const place of placement) gpus.set(place.node, [...(gpus.get(place.node) ?? []), ...place.gpus]);
  const parts = [...gpus].map(([node, indices]) => `${node}[${indices.join(',')}]`);
  return parts.length <= 16 ? parts.join(' ') : `${parts.slice(0, 16).join(' ')} and ${parts.length - 16} more nodes`;
}
