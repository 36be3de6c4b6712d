import type { PopularRecord } from '../schedule/popularShapes.ts';
import type { SuspendStage } from '#vocabulary/assignment.ts';
import type { Epoch, Generation, JobName, JobUid, NodeName, QueueName, ReservationName, Revision, UserName } from '#vocabulary/ids.ts';
import type { JobSpec, Placement, StopReason } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { ReservationPurpose } from '#vocabulary/reservation.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import type { ArrayTask, ExitCodes, JobWanted, Labels, LeaveReason, SpareFor } from '../events.ts';
import type { RecordedProgress, StopCause, TokenFacts, WorkerRecordState } from '../events.ts';
import type { Amounts, FreeCategory, Totals } from '../ledger/amounts.ts';
import type { Sketch } from '../learn/sketch.ts';
import type { StartErrors, ToldStart } from '../learn/startErrors.ts';
import type { ChangeList } from './changeList.ts';
import type { Promised } from '../nodes/promises.ts';
import type { ReservationRecord } from '../reservations/record.ts';
import type { Hold } from '../nodes/holds.ts';

/**
 * All that the controller knows, as the fold of the log. Changed in place by `apply` alone, handed out as `StateView`.
 * Indices (`jobsByName`, `pending`, `moving`, `crossing`, `spares`, `sparing`, `usage`, `ports`, `awaited`, `arrays`, `displaceable`, `resizable`, `saved`, `endings`, a node's `jobs`, `holds` and
 * `promises`, the ledger's rates) are kept by the same fold; a snapshot leaves them out and they are made again from the records.
 */
export interface State {
  revision: Revision;
  epoch: Epoch;
  clusterId: string;
  /** Time of the last event. */
  atMs: number;
  readonly queues: Map<QueueName, QueueRecord>;
  readonly reservations: Map<ReservationName, ReservationRecord>;
  readonly nodes: Map<NodeName, NodeState>;
  readonly jobs: Map<JobUid, JobRecord>;
  readonly tokens: Map<string, TokenFacts & { usedBy: NodeName | null }>;
  readonly jobsByName: Map<JobName, JobUid>;
  /** Waiting jobs in scheduling order: asked to be next, then priority, then age, then uid. */
  readonly pending: JobUid[];
  /** Jobs for which a place is kept elsewhere (`JobRecord.move`). Index. */
  readonly moving: Set<JobUid>;
  /** Gangs under way that stand in several domains of the outermost level. Index. */
  readonly crossing: Set<JobUid>;
  /** Nodes that are somebody's spare. Index. */
  readonly spares: Set<NodeName>;
  /** Jobs that want spares and are not over. Index. */
  readonly sparing: Set<JobUid>;
  /** Milli-GPU held, by queue (with all below it) and by user in a queue; see queues/usageKey.ts for the keys. */
  readonly usage: Map<string, number>;
  /** What was used before, by the same keys, where the queue has a half-life; see queues/pastUsage.ts. No index. */
  readonly past: Map<string, PastAmount>;
  /** Coordinator ports in use, by address. */
  readonly ports: Map<string, Set<number>>;
  /** How many jobs that were never placed wait for a job of this name (`spec.after`). Index. */
  readonly awaited: Map<JobName, number>;
  /** How many jobs of an array hold GPUs. Index. */
  readonly arrays: Map<JobName, number>;
  /** How many running jobs may be asked to leave, by their priority. Index. */
  readonly displaceable: Map<number, number>;
  /** Running jobs that can be asked to change their size (jobs/size.ts). Index. */
  readonly resizable: Set<JobUid>;
  readonly endings: Endings;
  readonly recent: RecentEvent[];
  readonly ledger: ClusterLedger;
  /** Something changed that may let a waiting job start. Derived; true after recovery. */
  scheduleDirty: boolean;
  /** A pass is due at this time though nothing else happens (jobs/readiness.ts); null: time alone changes nothing. Derived. */
  wakeAtMs: number | null;
  /** Moves that make a hole are not looked for before this time, so that they are not at every step. Derived; 0 after recovery. */
  movesFromMs: number;
  /** When the room is tidied up next (schedule/defrag/); null: it is not known yet, or never. Derived. */
  defragDueMs: number | null;
  /** What jobs ask of late (schedule/popularShapes.ts): it decides between places that hold a worker. No index. */
  popular: PopularRecord;
  /** How long jobs run, as was seen (learn/runTimes.ts). No index. */
  readonly runTimes: Map<string, Sketch>;
  /** How wrong forecasts of starts were (learn/startErrors.ts). No index. */
  readonly startErrors: StartErrors;
  /** Whose saving makes a pass due: somebody may have its place then (queues/standing.ts). Derived. */
  awaitsSave: AwaitsSave;
  /** Jobs under way that have a checkpoint, of whatever attempt. Index. */
  readonly saved: Set<JobUid>;
  /** Revision at which a node last came or changed its inventory. Derived. */
  topologyAt: Revision;
  /** Nodes whose `changedAt` moved, for readers that follow. Derived. */
  readonly changedNodes: ChangeList<NodeName>;
  /** Jobs that began or ceased to wait, or wait otherwise now (jobs/pending.ts), for readers that follow. Derived. */
  readonly changedWaiting: ChangeList<JobUid>;
}

export interface AwaitsSave {
  /** When a pass is due if the job has saved now, asked just before that is folded; null: it changes nothing. Not before `nowMs`. */
  dueAtMs(job: JobRecord, nowMs: number): number | null;
}

/** By when jobs under way leave their GPUs at the latest, of those for which something promises it (jobs/endings.ts). Index. */
export interface Endings {
  readonly atMs: Map<JobUid, number>;
  /** By that time, then uid. */
  readonly order: JobUid[];
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
  /** When it last had more room than before: somebody left it, or it began to take work. 0: before this was noted. */
  roomAtMs: number;
  cordon: { by: UserName; reason: string; atMs: number; drain: boolean } | null;
  /** The reservation that is under way here; null: none. */
  reserved: { readonly name: ReservationName; readonly purpose: ReservationPurpose; readonly atMs: number } | null;
  /** Whose spare it is (schedule/spares/); null: it is none. */
  spare: SpareFor | null;
  generation: Generation;
  /** Health of each GPU, by index. */
  health: { healthy: boolean; code: string; message: string }[];
  /** What jobs hold of each GPU, by index; see nodes/holds.ts. Index. */
  holds: (readonly Hold[])[];
  /** Jobs whose current attempt has a worker here, with or without GPUs. Index. */
  readonly jobs: Set<JobUid>;
  /** What is kept here for waiting jobs, by job uid; see ledger/promises.ts. Index. */
  promises: readonly Promised[];
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
  /** null: it is of no array. */
  array: ArrayTask | null;
  /** Who keeps it from starting; null: nobody. */
  held: Mark | null;
  /** Who put it before all others; null: nobody. Cleared when it is placed. */
  next: Mark | null;
  phase: JobPhase;
  /** Whose GPUs it waits for; null: it was promised none. Only while it waits. */
  nomination: Nomination | null;
  /** Whether it leaves for a place that is kept for it; null: it never did. */
  move: Move | null;
  /** The place that empties for it, whoever leaves when (schedule/reserve); null: none. Only while it waits. */
  target: Target | null;
  /** What was said first of when it starts, since it waits; null: nothing. */
  told: ToldStart | null;
  /** In order; the last one is under way when the phase is `active`. */
  attempts: AttemptRecord[];
  progress: (RecordedProgress & { atMs: number; attempt: number }) | null;
  /** The newest complete checkpoint. */
  checkpoint: { step: number; path: string; atMs: number; attempt: number } | null;
  readonly restarts: { readonly applicationAtMs: number[]; infrastructure: number; preemption: number };
  /** GPU-time that its ended attempts held, in milli-GPU-milliseconds; may be above 2^53, where neighbours are further apart. */
  attained: number;
  readonly ledger: JobLedger;
}

export interface Nomination {
  readonly victims: readonly JobUid[];
  readonly placement: Placement;
  readonly model: string | null;
  readonly atMs: number;
}

/** See schedule/consolidate/, and schedule/elastic/ for those that come back with another number of workers. */
export type Move =
  /** It leaves, or has left, and starts again at a place that is kept for it. */
  | {
      readonly kind: 'asked';
      /** Who gets its place, or a part of it; null: nobody in particular, it grows (schedule/elastic/) or makes room (schedule/defrag/). */
      readonly gang: JobUid | null;
      readonly placement: Placement;
      readonly model: string | null;
      readonly costMs: number;
      readonly atMs: number;
    }
  /** It has been placed since, or its kept place was lost. */
  | { readonly kind: 'done'; readonly costMs: number; readonly atMs: number };

export interface Target {
  readonly placement: Placement;
  readonly model: string | null;
  readonly atMs: number;
}

export interface Mark {
  readonly by: UserName;
  readonly atMs: number;
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
  /** How long the job had waited, in one go, when this was placed. */
  readonly waitedMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  readonly placement: Placement;
  readonly model: string | null;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly resume: { readonly step: number; readonly path: string } | null;
  /** How its mesh lies on the placement; null: it has none, or an older version placed it. */
  readonly mesh: MeshRecord | null;
  stage: AttemptStage;
  /** Rounds of suspensions that were taken back: the next one counts on, so that a late answer answers nothing. */
  roundsBefore: number;
  readonly workers: WorkerRecord[];
  readonly causes: StopCause[];
  /** Newest part of a checkpoint by rank, until the whole is complete; null: none yet. */
  parts: Map<number, CheckpointPart> | null;
  lastStep: number;
  lastCheckpointStep: number;
  end: { reasons: readonly StopReason[]; message: string; charged: boolean } | null;
}

export interface CheckpointPart {
  readonly step: number;
  readonly path: string;
  /** How long it took one of the ranks that were reported together; absent: none said. */
  readonly tookMs?: number;
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
      readonly reason: LeaveReason;
      /** Why it is asked, for its user; empty: the reason says all. */
      readonly message: string;
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
  /** Thousandths of GPUs that the job is charged for now: what it holds, less what is sick or away. Index. */
  milli: number;
  /** Thousandths of free GPUs that are kept for the job now; see ledger/promises.ts. Index. */
  reservedMilli: number;
  /** Up to when its time is in the amounts. */
  settledAtMs: number;
}

export interface ClusterLedger {
  readonly amounts: Amounts;
  capacity: bigint;
  /** Of `amounts.reserved`, what lay free on spare nodes and so is nobody's. */
  spare: bigint;
  /** By user, queue and project, over all jobs that ever were. */
  readonly totals: Totals;
  /** Time of the last event, and never less than that of one before it: a clock set back costs no time and gives none. */
  nowMs: number;
  /** Up to when the capacity and the time that is nobody's are in the amounts. */
  settledAtMs: number;
  /** Thousandths of all GPUs. Index. */
  capacityMilli: number;
  /** Thousandths of GPUs that are nobody's now. Index. */
  readonly freeMilli: Record<FreeCategory, number>;
}

/** Something told to people. */
export interface RecentEvent {
  readonly revision: Revision;
  readonly atMs: number;
  readonly objectKind: 'TrainingJob' | 'Node' | 'Queue' | 'Reservation' | 'Cluster';
  readonly objectName: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Something of the node changes with the event that is being folded. */
export function markChanged(state: State, node: NodeState): void {
  if (node.changedAt === state.revision) return;
  node.changedAt = state.revision;
  state.changedNodes.note(node.name);
}

/** The same for all nodes of an attempt. */
export function markPlaces(state: State, placement: Placement): void {
  for (const { node: name } of placement) {
    const node = state.nodes.get(name);
    if (node !== undefined) markChanged(state, node);
  }
}

/** The attempt under way; undefined when the job holds nothing. */
export function currentAttempt<J extends { readonly phase: JobPhase; readonly attempts: readonly unknown[] }>(
  job: J,
): J['attempts'][number] | undefined {
  return job.phase.kind === 'active' ? job.attempts.at(-1) : undefined;
}
