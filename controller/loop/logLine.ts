import type { StampedEvent } from '#core/events.ts';
import type { StateSnapshot } from '#core/state/snapshot.ts';
import { readableSnapshots, snapshotVersion } from '#core/state/snapshot.ts';
import { StoreError } from '#controller/ports/store.ts';

/**
 * One event as one line of the log: JSON with the version of the format first. The store vouches for the bytes by
 * checksum; here it is checked that this program knows the kind. An older version would be lifted to this one here.
 */
const logVersion = 1;

const kinds: Readonly<Record<StampedEvent['kind'], true>> = {
  ClusterCreated: true,
  LeaderElected: true,
  MovesAsked: true,
  TokenIssued: true,
  TokenUsed: true,
  TokenRemoved: true,
  QueueApplied: true,
  QueueRemoved: true,
  ReservationApplied: true,
  ReservationOpened: true,
  ReservationClosed: true,
  ReservationNodesChosen: true,
  ReservationRemoved: true,
  JobCreated: true,
  JobChanged: true,
  JobWanted: true,
  JobParked: true,
  JobNominated: true,
  NominationDropped: true,
  GrowthChosen: true,
  TargetChosen: true,
  TargetDropped: true,
  JobPrioritized: true,
  JobHeld: true,
  JobReleased: true,
  JobNext: true,
  JobExpired: true,
  JobRemoved: true,
  StartsTold: true,
  AttemptPlaced: true,
  AttemptStarted: true,
  WorkerChanged: true,
  SuspendStaged: true,
  SuspendAnswered: true,
  SuspendCancelled: true,
  AttemptStopping: true,
  StopCauseAdded: true,
  AttemptEnded: true,
  ProgressRecorded: true,
  CheckpointPartRecorded: true,
  CheckpointCompleted: true,
  NodeRegistered: true,
  NodeLost: true,
  NodeReturned: true,
  NodeReady: true,
  NodeCordoned: true,
  NodeUncordoned: true,
  NodeSpared: true,
  SpareReleased: true,
  GpuHealthChanged: true,
};

export function printLine(event: StampedEvent): string {
  return `${logVersion} ${JSON.stringify(event)}`;
}

/** Throws StoreError `corrupt` for a line of a newer version, or one that is not an event. */
export function parseLine(line: string): StampedEvent {
  const space = line.indexOf(' ');
  const version = Number(line.slice(0, space));
  if (version !== logVersion)
    throw new StoreError(
      'corrupt',
      `the log has a line of format ${line.slice(0, Math.max(0, space))}; this version reads format ${logVersion}: start the version that wrote it`,
    );
  const value = parseJson(line.slice(space + 1), 'line');
  assertEvent(value);
  return value;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StoreError('corrupt', `the store has a ${what} that is no JSON: ${text.slice(0, 120)}`, error);
  }
}

function assertEvent(value: unknown): asserts value is StampedEvent {
  const isEvent =
    typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' && Object.hasOwn(kinds, value.kind);
  if (!isEvent)
    throw new StoreError('corrupt', `the log has a line that is no event of this version: ${JSON.stringify(value).slice(0, 120)}`);
}

/** Throws StoreError `corrupt` for a snapshot of another version. */
export function parseSnapshot(body: string): StateSnapshot {
  const value = parseJson(body, 'snapshot');
  assertSnapshot(value);
  return value;
}

function assertSnapshot(value: unknown): asserts value is StateSnapshot {
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (!readableSnapshots.includes(version))
    throw new StoreError('corrupt', `the store has a snapshot of format ${String(version)}; this version reads format ${snapshotVersion}`);
}
