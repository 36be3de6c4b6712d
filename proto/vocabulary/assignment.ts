import type { Epoch, Generation, JobName } from './ids.ts';
import type { Mesh, WorkerId } from './job.ts';
import type { GpuSlot } from './topology.ts';

/** The whole desired set of one node. A worker that the node has and that is not named here is killed. */
export interface Assignment {
  readonly epoch: Epoch;
  readonly generation: Generation;
  /** Sorted by worker key. */
  readonly workers: readonly AssignedWorker[];
}

export interface AssignedWorker {
  readonly id: WorkerId;
  readonly gpus: readonly number[];
  readonly launch: Launch;
  readonly desire: Desire;
}

/**
 * What is wanted of a worker. `suspend` goes through rounds: `ask` every rank's step, `propose` a step that no rank has
 * passed, `decided` once every rank promised it. A rank that reaches a proposed step is held until it is decided.
 */
export type Desire =
  | { readonly kind: 'run' }
  | { readonly kind: 'suspend'; readonly round: number; readonly stage: SuspendStage; readonly graceMs: number; readonly why?: LeaveWhy }
  | { readonly kind: 'stop'; readonly graceMs: number; readonly reason: string };

/** Why it is asked to leave. Absent: an older controller does not tell. */
export interface LeaveWhy {
  /** The reason with which the attempt is to end. */
  readonly reason: string;
  /** It starts again at once with so many workers; null: not at once, or with as many. */
  readonly workers: number | null;
}

export type SuspendStage =
  | { readonly kind: 'ask' }
  | { readonly kind: 'propose'; readonly stopStep: number }
  | { readonly kind: 'decided'; readonly stopStep: number };

/** How to start a worker's ranks. */
export interface Launch {
  readonly jobName: JobName;
  readonly workers: number;
  readonly nodeRank: number;
  readonly firstRank: number;
  readonly processes: number;
  readonly worldSize: number;
  readonly gpusPerWorker: number;
  /** 1..999: the worker has so many thousandths of its one GPU, and others may have the rest. null: whole GPUs. */
  readonly gpuShareMilli: number | null;
  /** The worker has this slot of its one GPU, and others may have the rest. Absent: whole GPUs, or a part. */
  readonly gpuSlot?: GpuSlot;
  readonly coordinatorAddress: string;
  readonly coordinatorPort: number;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
  readonly mesh: Mesh;
  /** The least and the most workers that an attempt of the job has. Absent: it has one size. */
  readonly sizes?: { readonly min: number; readonly max: number };
  readonly checkpoint: LaunchCheckpoint | null;
}

export interface LaunchCheckpoint {
  readonly directory: string;
  readonly resume: { readonly step: number; readonly path: string } | null;
  readonly keep: number | null;
  readonly intervalMs: number | null;
}
