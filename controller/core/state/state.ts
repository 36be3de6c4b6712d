import type { SuspendStage } from '#vocabulary/assignment.ts';
import type { Epoch, Generation, JobName, JobUid, NodeName, QueueName, Revision, UserName } from '#vocabulary/ids.ts';
import { epoch, revision } from '#vocabulary/ids.ts';
import type { JobSpec, Placement, StopReason } from '#vocabulary/job.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import type { ExitCodes, JobWanted, Labels, RecordedProgress, StopCause, TokenFacts, WorkerRecordState } from '../events.ts';
import type { Amounts } from '../ledger/amounts.ts';
import { noAmounts } from '../ledger/amounts.ts';

/**
 * All that the controller knows, as the fold of the log. Changed in place by `apply` alone, handed out as `StateView`.
 * Indices (`jobsByName`, `pending`, `usage`, `ports`, a node's `jobs` and `owners`) are kept by the same fold; a
 * snapshot leaves them out and they are made again from the records.
 */
export interface State {
  revision: Revision;
  epoch: Epoch;
  clusterId: string;
  /** Time of the last event. */
  atMs: number;
  readonly queues: Map<QueueName, QueueRecord>;
  readonly nodes: Map<NodeName, NodeState>;
  readonly jobs: Map<JobUid, JobRecord>;
  readonly tokens: Map<string, TokenFacts & { usedBy: NodeName | null }>;
  readonly jobsByName: Map<JobName, JobUid>;
  /** Waiting jobs in scheduling order: priority, then age, then uid. */
  readonly pending: JobUid[];
  /** Milli-GPU held, by queue (with all below it) and by user in a queue; see queues/usageKey.ts for the keys. */
  readonly usage: Map<string, number>;
  /** What was used before, by the same keys, where the queue has a half-life; see queues/pastUsage.ts. No index. */
  readonly past: Map<string, PastAmount>;
  /** Coordinator ports in use, by address. */
  readonly ports: Map<string, Set<number>>;
  readonly recent: RecentEvent[];
  readonly ledger: ClusterLedger;
  /** Something changed that may let a waiting job start. Derived; true after recovery. */
  scheduleDirty: boolean;
  /** Revision at which a node last came or changed its inventory. Derived. */
  topologyAt: Revision;
}

export interface QueueRecord {
  readonly name: QueueName;
  spec: QueueSpec;
  labels: Labels;
  readonly createdAtMs: number;
  changedAt: Revision;
}

/** Decayed usage; see queues/pastUsage.ts. */
export interface PastAmount {
  /** Milli-GPU-milliseconds as of `asOfMs`. An integer; may be above 2^53, where neighbours are further apart. */
  readonly amount: number;
  readonly asOfMs: number;
}

export interface NodeState {
  readonly name: NodeName;
  inventory: NodeInventory;
  labels: Labels;
  readonly createdAtMs: number;
  changedAt: Revision;
  availability: Availability;
  cordon: { by: UserName; reason: string; atMs: number; drain: boolean } | null;
  generation: Generation;
  /** Health of each GPU, by index. */
  health: { healthy: boolean; code: string; message: string }[];
  /** The job that holds each GPU, by index. Index. */
  owners: (JobUid | null)[];
  /** Jobs whose current attempt has a worker here, with or without GPUs. Index. */
  readonly jobs: Set<JobUid>;
  /** Up to when this node's GPU time is in the ledger. */
  settledAtMs: number;
}

export type Availability =
  | { readonly kind: 'ready' }
  | { readonly kind: 'lost'; readonly message: string; readonly atMs: number }
  | { readonly kind: 'returning'; readonly held: number; readonly atMs: number };

export interface JobRecord {
  readonly uid: JobUid;
  readonly name: JobName;
  readonly user: UserName;
  labels: Labels;
  annotations: Labels;
  spec: JobSpec;
  readonly createdAtMs: number;
  changedAt: Revision;
  wanted: JobWanted;
  phase: JobPhase;
  /** In order; the last one is under way when the phase is `active`. */
  readonly attempts: AttemptRecord[];
  progress: (RecordedProgress & { atMs: number; attempt: number }) | null;
  /** The newest complete checkpoint. */
  checkpoint: { step: number; path: string; atMs: number; attempt: number } | null;
  readonly restarts: { readonly applicationAtMs: number[]; infrastructure: number; preemption: number };
  readonly ledger: JobLedger;
}

export type JobPhase =
  | { readonly kind: 'pending'; readonly sinceMs: number }
  | { readonly kind: 'active' }
  | { readonly kind: 'suspended'; readonly sinceMs: number }
  | {
      readonly kind: 'finished';
      readonly outcome: 'Succeeded' | 'Failed';
      readonly atMs: number;
      readonly reason: StopReason;
      readonly message: string;
    };

export interface AttemptRecord {
  readonly number: number;
  readonly placedAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  readonly placement: Placement;
  readonly model: string | null;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly resume: { readonly step: number; readonly path: string } | null;
  stage: AttemptStage;
  readonly workers: WorkerRecord[];
  readonly causes: StopCause[];
  /** Newest part of a checkpoint by rank, until the whole is complete. */
  parts: Map<number, { step: number; path: string }>;
  lastStep: number;
  lastCheckpointStep: number;
  end: { reasons: readonly StopReason[]; message: string; charged: boolean } | null;
}

export type AttemptStage =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running' }
  | {
      readonly kind: 'suspending';
      readonly round: number;
      readonly stage: SuspendStage;
      readonly graceMs: number;
      readonly sinceMs: number;
      readonly reason: 'Suspended' | 'Drained' | 'Deleted';
      /** By worker, for this round. */
      readonly answers: Map<number, { accepted: boolean; step: number }>;
    }
  | { readonly kind: 'stopping'; readonly graceMs: number; readonly cause: StopCause; readonly sinceMs: number }
  | { readonly kind: 'ended' };

export interface WorkerRecord {
  state: WorkerRecordState;
  message: string;
  exitCodes: ExitCodes;
  /** When its progress was last recorded; null before. */
  progressAtMs: number | null;
}

export interface JobLedger {
  readonly amounts: Amounts;
  /** Running time since the last complete checkpoint: productive if it is saved or finished, recomputed if it is lost. */
  unsaved: bigint;
}

export interface ClusterLedger {
  readonly amounts: Amounts;
  capacity: bigint;
}

/** Something told to people. */
export interface RecentEvent {
  readonly revision: Revision;
  readonly atMs: number;
  readonly objectKind: 'TrainingJob' | 'Node' | 'Queue' | 'Cluster';
  readonly objectName: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export function emptyState(): State {
  return {
    revision: revision(0),
    epoch: epoch(0),
    clusterId: '',
    atMs: 0,
    queues: new Map(),
    nodes: new Map(),
    jobs: new Map(),
    tokens: new Map(),
    jobsByName: new Map(),
    pending: [],
    usage: new Map(),
    past: new Map(),
    ports: new Map(),
    recent: [],
    ledger: { amounts: noAmounts(), capacity: 0n },
    scheduleDirty: true,
    topologyAt: revision(0),
  };
}

/** The attempt under way; undefined when the job holds nothing. */
export function currentAttempt<J extends { readonly phase: JobPhase; readonly attempts: readonly unknown[] }>(
  job: J,
): J['attempts'][number] | undefined {
  return job.phase.kind === 'active' ? job.attempts.at(-1) : undefined;
}
