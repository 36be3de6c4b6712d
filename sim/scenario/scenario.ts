/** A scenario, checked, with every default filled in. All times are milliseconds from its start. */
import type { Policy } from '#core/context.ts';
import type { JobName, NodeName, QueueName, ReservationName, UserName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Trouble } from './trouble.ts';

export interface Scenario {
  readonly name: string;
  readonly seed: number;
  readonly levels: Levels;
  /** Named ones first, then those of the pools. */
  readonly nodes: readonly NodePlan[];
  readonly timings: Timings;
  readonly failures: FailurePlan | null;
  /** Parents before children. */
  readonly queues: readonly QueuePlan[];
  readonly policy: Policy;
  /** By time; entries of one time in file order. */
  readonly timeline: readonly Entry[];
  /** null: until nothing is left to do. */
  readonly untilMs: number | null;
  /** null: nobody is late, and nobody is killed. */
  readonly trouble: Trouble | null;
  /** core: what a check of the state finds. every: all that can be seen (sim/promises), at a price. */
  readonly watch: 'core' | 'every';
}

export interface NodePlan {
  readonly name: NodeName;
  /** Domains above the node, outermost first. */
  readonly path: readonly string[];
  readonly gpus: number;
  readonly model: string;
  /** Profiles of the MIG slots that each of its GPUs is divided into; empty: they are whole. */
  readonly slots: readonly string[];
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly spare: boolean;
  /** GPUs in one NVLink domain. */
  readonly nvlinkSize: number;
}

export interface Timings {
  /** From the decision to start ranks until they run. */
  readonly launchMs: number;
  /** From a signal until the processes are gone. */
  readonly stopMs: number;
  readonly heartbeatMs: number;
  /** Silence after which the controller takes a node for lost. */
  readonly lostMs: number;
  readonly resetMs: number;
  readonly rebootMs: number;
  readonly validateMs: number;
}

export interface FailurePlan {
  readonly perThousandNodeDays: number;
  readonly mix: readonly MixRow[];
  readonly meanSoftRepairMs: number;
  readonly meanHardRepairMs: number;
  /** 0..1: of the faults, those that need a hard repair. */
  readonly hardShare: number;
}

export interface MixRow {
  readonly component: string;
  readonly weight: number;
  readonly effect:
    | { readonly kind: 'xid'; readonly code: number }
    | { readonly kind: 'node-down' }
    | { readonly kind: 'link-flap' }
    | { readonly kind: 'slow'; readonly factor: number }
    | { readonly kind: 'process-exit'; readonly code: number };
}

export interface QueuePlan {
  readonly name: QueueName;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: QueueSpec;
}

export interface Entry {
  readonly atMs: number;
  /** Position in the file, from 0. */
  readonly index: number;
  readonly user: UserName;
  readonly deed: Deed;
}

export type Deed =
  | ({ readonly kind: 'applyJob'; readonly program: ProgramPlan; readonly place: ReadonlyMap<NodeName, number> | null } & JobPlan)
  | ({ readonly kind: 'applyQueue' } & QueuePlan)
  | {
      readonly kind: 'applyReservation';
      readonly name: ReservationName;
      readonly labels: Readonly<Record<string, string>>;
      readonly spec: ReservationSpec;
    }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'cordon' | 'uncordon' | 'drain'; readonly node: NodeName }
  | { readonly kind: 'delete' | 'suspend' | 'resume'; readonly job: JobName }
  | { readonly kind: 'priority'; readonly job: JobName; readonly value: number }
  | { readonly kind: 'plan'; readonly job: JobPlan };

export interface JobPlan {
  readonly name: JobName;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: JobSpec;
}

/** How a simulated program behaves, the same in each attempt. */
export interface ProgramPlan {
  /** Productive time needed at the requested size; null: runs until the end. */
  readonly workMs: number | null;
  /** At the requested size; with fewer workers a step takes longer in proportion. */
  readonly stepMs: number;
  /** The size that work and step speak of. */
  readonly workers: number;
  readonly checkpointEveryMs: number | null;
  readonly checkpointTakesMs: number;
  readonly memoryCheckpointEveryMs: number | null;
  readonly loadTakesMs: number;
  /** save: leaves with a checkpoint. exit: leaves without one. ignore: runs on until it is killed. */
  readonly onSuspend: 'save' | 'ignore' | 'exit';
  /** Rank 0 exits so long after loading, in each attempt. */
  readonly exit: { readonly afterMs: number; readonly code: number } | null;
}

export type Fault =
  | ({
      readonly nodes: readonly NodeName[];
    } & (
      | { readonly kind: 'xid'; readonly code: number; readonly gpu: number; readonly forMs: number | null }
      | { readonly kind: 'gpu-lost'; readonly gpu: number; readonly forMs: number | null }
      /** null: for good. */
      | { readonly kind: 'agent-lost' | 'node-down'; readonly forMs: number | null }
      | { readonly kind: 'link-flap'; readonly nic: string; readonly forMs: number; readonly times: number }
      | { readonly kind: 'slow'; readonly factor: number; readonly forMs: number | null }
      | { readonly kind: 'validator-fails'; readonly check: string }
    ))
  | { readonly kind: 'hang'; readonly job: JobName }
  | { readonly kind: 'process-exit'; readonly job: JobName; readonly rank: number; readonly code: number };
