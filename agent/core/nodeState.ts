/**
 * What an agent knows: the last assignment, and every worker that it has started and not yet forgotten. Owned by the
 * loop, which replaces records whole; `converge` only reads it. Times are milliseconds of a monotonic clock that
 * counts from the machine's boot, so a deadline outlives the agent, and dies with the machine as its processes do.
 */
import type { AssignedWorker, Assignment, Launch, LeaveWhy, SuspendStage } from '#vocabulary/assignment.ts';
import { epoch, generation, type Epoch, type Generation } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ObservedCheckpoint, ObservedProgress, WorkerEnd } from '#vocabulary/observed.ts';

export interface NodeState {
  /** Highest epoch seen, and the highest generation of it; generation 0: none of this epoch yet. */
  readonly seen: Seen;
  readonly assignment: Assignment | null;
  /** The assignment was heard by this process. Before, the agent goes on with what runs, but starts nothing. */
  readonly confirmed: boolean;
  /** By worker key. */
  readonly workers: ReadonlyMap<string, WorkerRecord>;
  /** Keys of workers that ran here, ended and were forgotten, oldest first. They never start again. */
  readonly forgotten: ReadonlySet<string>;
}

export interface Seen {
  readonly epoch: Epoch;
  readonly generation: Generation;
}

export interface WorkerRecord {
  readonly id: WorkerId;
  readonly gpus: readonly number[];
  readonly launch: Launch;
  /** Boot of the machine in which it was admitted. After another boot nothing of it can be alive. */
  readonly bootId: string;
  /** In rank order. */
  readonly ranks: readonly RankRecord[];
  readonly leaving: Leaving;
  readonly suspend: SuspendRecord | null;
  readonly end: EndRecord;
}

export interface RankRecord {
  readonly rank: number;
  readonly life: RankLife;
  readonly progress: ObservedProgress | null;
  readonly checkpoint: ObservedCheckpoint | null;
  readonly suspendAware: boolean;
  /** The last step whose post was answered with "go on". */
  readonly released: ReleasedStep;
  /** The step of a post that is not answered yet. */
  readonly pendingStep: number | null;
  readonly answer: { readonly round: number; readonly accepted: boolean } | null;
}

/** unknown: an earlier agent answered posts of this rank, and how far is not known. */
export type ReleasedStep = { readonly kind: 'none' } | { readonly kind: 'unknown' } | { readonly kind: 'step'; readonly step: number };

export type RankLife =
  /** Nothing was tried, or nothing came of it: may be started. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'launching' }
  | { readonly kind: 'running'; readonly pid: number }
  /** Both null: the status is not known. */
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: string | null }
  | { readonly kind: 'never-ran'; readonly message: string };

/** Why a worker is being ended by its agent: the controller asked, or one of its ranks failed. */
export type LeavingCause = 'asked' | 'failure';

export type Leaving =
  | { readonly kind: 'no' }
  /** SIGTERM was sent; SIGKILL follows. */
  | { readonly kind: 'terminating'; readonly cause: LeavingCause; readonly graceMs: number; readonly killAtMs: number }
  /** SIGKILL was sent. */
  | { readonly kind: 'killing'; readonly cause: LeavingCause };

export interface SuspendRecord {
  readonly round: number;
  readonly stage: SuspendStage;
  readonly graceMs: number;
  /** Absent: the controller did not tell. */
  readonly why?: LeaveWhy;
  /** From when on the program is no longer asked but told: the first sight of the suspension plus its grace. */
  readonly deadlineMs: number;
}

export type EndRecord =
  | { readonly kind: 'none' }
  /** All ranks ended; the runtime is being asked whether children of theirs live on. */
  | { readonly kind: 'confirming'; readonly tries: number }
  /** Children live on: they are killed and the question is asked again. */
  | { readonly kind: 'lingering'; readonly tries: number; readonly againAtMs: number }
  | { readonly kind: 'ended'; readonly reason: WorkerEnd; readonly message: string };

export const emptyNodeState: NodeState = {
  seen: { epoch: epoch(0), generation: generation(0) },
  assignment: null,
  confirmed: false,
  workers: new Map(),
  forgotten: new Set(),
};

export function newWorkerRecord({ id, gpus, launch }: AssignedWorker, bootId: string, end: EndRecord): WorkerRecord {
  const ranks = Array.from({ length: launch.processes }, (_, local): RankRecord => newRankRecord(launch.firstRank + local));
  return { id, gpus, launch, bootId, ranks, leaving: { kind: 'no' }, suspend: null, end };
}

export function newRankRecord(rank: number): RankRecord {
  return {
    rank,
    life: { kind: 'pending' },
    progress: null,
    checkpoint: null,
    suspendAware: false,
    released: { kind: 'none' },
    pendingStep: null,
    answer: null,
  };
}

/** A rank that ended otherwise than well: with a status that is not 0, with an unknown one, or without having run. */
export function hasFailed(life: RankLife): boolean {
  return life.kind === 'never-ran' || (life.kind === 'ended' && life.exitCode !== 0);
}

export function findRankRecord(record: WorkerRecord, rank: number): RankRecord | undefined {
  return record.ranks.find((each) => each.rank === rank);
}
