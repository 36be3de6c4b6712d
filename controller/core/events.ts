import type { SuspendStage } from '#vocabulary/assignment.ts';
import type { Epoch, JobName, JobUid, NodeName, QueueName, ReservationName, UserName } from '#vocabulary/ids.ts';
import type { JobSpec, Placement, StopReason } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';

/**
 * What happened, in the past tense: the lines of the log. State is the fold of these and of nothing else, so each
 * carries all that its fold needs. Plain JSON values only. A change here needs a new `logVersion` (loop/logLine.ts)
 * unless old lines still read.
 */
export type Event = ClusterEvent | AccessEvent | QueueEvent | ReservationEvent | JobEvent | EstimateEvent | AttemptEvent | NodeEvent;

/** An event with the controller's wall clock at the step that decided it. */
export type StampedEvent = Event & { readonly atMs: number };

export type ClusterEvent =
  | { readonly kind: 'ClusterCreated'; readonly clusterId: string }
  | { readonly kind: 'LeaderElected'; readonly epoch: Epoch; readonly version: string }
  /** These running jobs were asked to move so that free room lies together; a place is kept for each. `by` null: it was due. */
  | { readonly kind: 'MovesAsked'; readonly by: UserName | null; readonly moves: readonly (MovedTo & { readonly model: string | null })[] };

export type AccessEvent =
  | { readonly kind: 'TokenIssued'; readonly token: TokenFacts }
  | { readonly kind: 'TokenUsed'; readonly id: string; readonly node: NodeName }
  | { readonly kind: 'TokenRemoved'; readonly id: string };

/** A token as it is kept: its secret only as SHA-256. */
export interface TokenFacts {
  readonly id: string;
  readonly purpose: 'user' | 'join';
  readonly secretHash: string;
  readonly user: UserName;
  /** null: never. */
  readonly expiresAtMs: number | null;
}

export type QueueEvent =
  | { readonly kind: 'QueueApplied'; readonly name: QueueName; readonly spec: QueueSpec; readonly labels: Labels }
  | { readonly kind: 'QueueRemoved'; readonly name: QueueName };

export type ReservationEvent =
  | {
      readonly kind: 'ReservationApplied';
      readonly name: ReservationName;
      readonly spec: ReservationSpec;
      readonly labels: Labels;
      readonly by: UserName;
      /** From when on its calendar counts. */
      readonly fromMs: number;
      /** The occurrence that is under way, or the next one. */
      readonly occurrence: Occurrence;
      /** Nodes that the scheduler chose, in name order; null: the spec says which. */
      readonly chosen: readonly NodeName[] | null;
    }
  /** Its time has come, or it goes on on more nodes: these are kept by it from now on. */
  | { readonly kind: 'ReservationOpened'; readonly name: ReservationName; readonly nodes: readonly NodeName[] }
  /** An occurrence is over. `next` null: it was the last one. */
  | { readonly kind: 'ReservationClosed'; readonly name: ReservationName; readonly next: Occurrence | null }
  /** Of nodes that the scheduler chose some broke before it began; these are all of them now. */
  | {
      readonly kind: 'ReservationNodesChosen';
      readonly name: ReservationName;
      readonly chosen: readonly NodeName[];
      readonly message: string;
    }
  /** `by` null: it was over long ago. */
  | { readonly kind: 'ReservationRemoved'; readonly name: ReservationName; readonly by: UserName | null };

export type Labels = Readonly<Record<string, string>>;

export type JobEvent =
  | {
      readonly kind: 'JobCreated';
      readonly uid: JobUid;
      readonly name: JobName;
      readonly user: UserName;
      readonly labels: Labels;
      readonly annotations: Labels;
      readonly spec: JobSpec;
      /** Absent: it is of no array. */
      readonly array?: ArrayTask;
    }
  | {
      readonly kind: 'JobChanged';
      readonly uid: JobUid;
      readonly labels: Labels;
      readonly annotations: Labels;
      readonly spec: JobSpec;
      /** Absent: as it was. */
      readonly array?: ArrayTask;
    }
  | { readonly kind: 'JobPrioritized'; readonly uid: JobUid; readonly priority: number; readonly by: UserName }
  | { readonly kind: 'JobHeld'; readonly uid: JobUid; readonly by: UserName }
  | { readonly kind: 'JobReleased'; readonly uid: JobUid; readonly by: UserName }
  | { readonly kind: 'JobNext'; readonly uid: JobUid; readonly by: UserName }
  | { readonly kind: 'JobWanted'; readonly uid: JobUid; readonly wanted: JobWanted; readonly by: UserName }
  /** A job that holds nothing changes between waiting and suspended. */
  | { readonly kind: 'JobParked'; readonly uid: JobUid; readonly phase: 'pending' | 'suspended' }
  /** These were asked to leave so that this waiting job can start there. A nominee that starts is none any more. */
  | {
      readonly kind: 'JobNominated';
      readonly uid: JobUid;
      readonly victims: readonly JobUid[];
      readonly placement: Placement;
      readonly model: string | null;
      /** Victims that start again at once, on the same model: elsewhere, or on a part of what they have. Absent: none. */
      readonly moves?: readonly MovedTo[];
    }
  /** Of a job that was asked to move or to change its size: the place kept for it is kept no more. */
  | { readonly kind: 'NominationDropped'; readonly uid: JobUid; readonly message: string }
  /** It leaves, and starts again there with more workers: so much of it as others do not take meanwhile. */
  | {
      readonly kind: 'GrowthChosen';
      readonly uid: JobUid;
      readonly placement: Placement;
      readonly model: string | null;
      readonly costMs: number;
    }
  /** From now on what becomes free of this place is kept for the job until it fits. One that starts has none any more. */
  | { readonly kind: 'TargetChosen'; readonly uid: JobUid; readonly placement: Placement; readonly model: string | null }
  | { readonly kind: 'TargetDropped'; readonly uid: JobUid; readonly message: string }
  /** It is over without an attempt that could end: nothing of it ran, or what ran had left. */
  | { readonly kind: 'JobExpired'; readonly uid: JobUid; readonly reason: StopReason; readonly message: string }
  | { readonly kind: 'JobRemoved'; readonly uid: JobUid; readonly name: JobName };

/** When these waiting jobs are expected to start, of each the first that is said since it waits: what comes is held against it. */
export interface EstimateEvent {
  readonly kind: 'StartsTold';
  readonly starts: readonly StartTold[];
}

export interface StartTold {
  readonly uid: JobUid;
  readonly forecastMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
}

/** Where a job that is asked to move starts again. */
export interface MovedTo {
  readonly uid: JobUid;
  readonly placement: Placement;
  /** What it costs each of its GPUs: the work since its last checkpoint, and the restart. */
  readonly costMs: number;
}

/** Which of how many jobs of which array a job is. */
export interface ArrayTask {
  readonly name: JobName;
  /** From 0. */
  readonly index: number;
  readonly count: number;
  /** Most of them that run at a time; null: all. */
  readonly parallelism: number | null;
}

/** What people want of a job. */
export type JobWanted = 'run' | 'suspend' | 'delete';

interface OfAttempt {
  readonly uid: JobUid;
  readonly attempt: number;
}

export type AttemptEvent =
  | (OfAttempt & {
      readonly kind: 'AttemptPlaced';
      readonly placement: Placement;
      /** GPU model of every worker; null when the gang has no GPUs. */
      readonly model: string | null;
      /** Rendezvous of this attempt: worker 0's address and a port of its own, so that an older attempt cannot join. */
      readonly coordinator: { readonly address: string; readonly port: number };
      readonly resume: { readonly step: number; readonly path: string } | null;
      /** How its mesh lies on the place. Absent: it has none, or an older version placed it. */
      readonly mesh?: MeshRecord;
    })
  | (OfAttempt & { readonly kind: 'AttemptStarted' })
  | (OfAttempt & {
      readonly kind: 'WorkerChanged';
      readonly worker: number;
      readonly state: WorkerRecordState;
      readonly message: string;
      readonly exitCodes: ExitCodes;
    })
  | (OfAttempt & {
      readonly kind: 'SuspendStaged';
      readonly round: number;
      readonly stage: SuspendStage;
      readonly graceMs: number;
      readonly reason: LeaveReason;
      /** Why it is asked, for its user. Absent: the reason says all. */
      readonly message?: string;
    })
  /** Nobody needs its place any more: it runs on. Only before a stop step was decided. */
  | (OfAttempt & { readonly kind: 'SuspendCancelled' })
  | (OfAttempt & {
      readonly kind: 'SuspendAnswered';
      readonly worker: number;
      readonly round: number;
      readonly accepted: boolean;
      readonly step: number;
    })
  | (OfAttempt & { readonly kind: 'AttemptStopping'; readonly cause: StopCause; readonly graceMs: number })
  /** One more cause of a stop under way: the gravest one is the reason in the end. */
  | (OfAttempt & { readonly kind: 'StopCauseAdded'; readonly cause: StopCause })
  | (OfAttempt & {
      readonly kind: 'AttemptEnded';
      readonly reasons: readonly StopReason[];
      readonly message: string;
      readonly charged: boolean;
      readonly next: AfterAttempt;
    })
  | (OfAttempt & { readonly kind: 'ProgressRecorded'; readonly worker: number; readonly progress: RecordedProgress })
  | (OfAttempt & {
      readonly kind: 'CheckpointPartRecorded';
      readonly ranks: readonly number[];
      readonly step: number;
      readonly path: string;
      /** The longest that one of them stood still to save it. Absent: none said. */
      readonly tookMs?: number;
    })
  | (OfAttempt & {
      readonly kind: 'CheckpointCompleted';
      readonly step: number;
      readonly path: string;
      /** For how long the gang stood still to save it. Absent: nobody said. */
      readonly tookMs?: number;
    });

/** Why an attempt is asked to leave with a checkpoint. */
export type LeaveReason = 'Suspended' | 'Drained' | 'Preempted' | 'Moved' | 'Resized' | 'Deleted';

export type WorkerRecordState = 'assigned' | 'starting' | 'running' | 'stopping' | 'ended' | 'lost';

/** By rank; null: killed by a signal or not known. */
export type ExitCodes = Readonly<Record<number, number | null>>;

export interface StopCause {
  readonly reason: StopReason;
  readonly message: string;
  /** Where it happened. Absent: on no node; or the log is of a version that did not say. */
  readonly node?: NodeName;
}

export type AfterAttempt =
  | { readonly kind: 'pending' }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'finished'; readonly outcome: 'Succeeded' | 'Failed' };

export interface RecordedProgress {
  readonly step: number;
  readonly loss: number | null;
  readonly tokens: number | null;
  readonly stepSeconds: number | null;
  /** Last step of the ranks that this record is about, by rank. */
  readonly steps: Readonly<Record<number, number>>;
}

/** Whose spare a node is. */
export type SpareFor =
  | { readonly kind: 'job'; readonly uid: JobUid }
  /** The pool of a domain, by its path: `z1/b1`. */
  | { readonly kind: 'pool'; readonly domain: string }
  /** The node says so itself, by its label. */
  | { readonly kind: 'label' };

export type NodeEvent =
  | { readonly kind: 'NodeRegistered'; readonly node: NodeName; readonly inventory: NodeInventory; readonly labels: Labels }
  | { readonly kind: 'NodeLost'; readonly node: NodeName; readonly message: string }
  /** Back after a loss, or new, but still holding workers that it must end first. */
  | { readonly kind: 'NodeReturned'; readonly node: NodeName; readonly held: number }
  | { readonly kind: 'NodeReady'; readonly node: NodeName }
  | { readonly kind: 'NodeCordoned'; readonly node: NodeName; readonly by: UserName; readonly reason: string; readonly drain: boolean }
  | { readonly kind: 'NodeUncordoned'; readonly node: NodeName; readonly by: UserName }
  /** From now on it takes replacements for broken workers, and preemptible work in the meantime. */
  | { readonly kind: 'NodeSpared'; readonly node: NodeName; readonly for: SpareFor }
  | { readonly kind: 'SpareReleased'; readonly node: NodeName; readonly message: string }
  | {
      readonly kind: 'GpuHealthChanged';
      readonly node: NodeName;
      readonly gpu: number;
      readonly healthy: boolean;
      readonly code: string;
      readonly message: string;
    };
