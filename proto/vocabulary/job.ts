import type { JobName, JobUid, NodeName, QueueName } from './ids.ts';
import type { GpuProfile } from './gpuProfile.ts';
import { profileMilli } from './gpuProfile.ts';
import { gpuMilliPerGpu } from './units.ts';

/** Parallel axes in their customary order, from the slowest varying to the fastest: neighbours in the last one talk most. */
export const meshAxes = ['pipeline', 'data', 'context', 'expert', 'tensor'] as const;
export type MeshAxis = (typeof meshAxes)[number];
/** Axes from the slowest varying to the fastest; sizes multiply to the number of GPUs. */
export type Mesh = readonly { readonly axis: MeshAxis; readonly size: number }[];

/** A TrainingJob's spec, checked, with every default filled in. */
export interface JobSpec {
  readonly queue: QueueName;
  /** 0..100, more is sooner. */
  readonly priority: number;
  readonly preemptible: boolean;
  /** Accepted models, first choice first; empty: any one model. */
  readonly gpuModels: readonly string[];
  readonly workers: number;
  /** 1 when the worker has a part or a slot of one. */
  readonly gpusPerWorker: number;
  /** The part of one GPU that each worker gets, 1..999 thousandths; null: whole GPUs. */
  readonly gpuShareMilli: number | null;
  /** Each worker gets one slot of this profile; null: whole GPUs, or parts. Never together with `gpuShareMilli`. */
  readonly gpuProfile: GpuProfile | null;
  readonly processesPerWorker: 'worker' | 'gpu';
  /** In the order of `axisOrder`, else in that of `meshAxes`. */
  readonly mesh: Mesh;
  /** The user's order of all axes of the mesh; empty: the scheduler chooses. */
  readonly axisOrder: readonly MeshAxis[];
  /** Bytes that each GPU hands over along an axis in a step, where the user says so; more than 0. */
  readonly traffic: Readonly<Partial<Record<MeshAxis, number>>>;
  readonly constraints: readonly LevelConstraint[];
  /** In the user's order; each level once. */
  readonly segments: readonly SegmentSpec[];
  /** At most `max` workers in one domain of the level; null: as many as fit. */
  readonly spread: { readonly level: string; readonly max: number } | null;
  /** The level of which the gang wants whole domains for itself; null: it shares. */
  readonly exclusive: string | null;
  /** Labels that its nodes must have. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Names of nodes. */
  readonly avoidNodes: readonly string[];
  /** `even`: max-min balanced over domains. */
  readonly packing: 'tight' | 'even';
  readonly after: readonly DependencySpec[];
  /** Does not start earlier (milliseconds since 1970); null: at once. */
  readonly startAfterMs: number | null;
  /** Ended when it is not over by then (milliseconds since 1970); null: never. */
  readonly deadlineMs: number | null;
  /** The scheduler does not ask an attempt to leave earlier; 0: at any time. */
  readonly minRuntimeMs: number;
  /** The numbers of workers at which it can run (elastic.ts); `workers` is what it asks for at first. null: only at `workers`. */
  readonly elastic: { readonly minWorkers: number; readonly maxWorkers: number } | null;
  /** Of a manifest only: the core makes `count` jobs of it, whose own specs have null here. `parallelism` null: all at a time. */
  readonly array: { readonly count: number; readonly parallelism: number | null } | null;
  /** Nodes kept beside it, so that a broken worker is replaced at once. */
  readonly spares: number;
  readonly checkpoint: CheckpointSpec | null;
  /** Application failures allowed within the window; null: for ever. */
  readonly restarts: { readonly max: number; readonly withinMs: number | null };
  readonly maxRuntimeMs: number | null;
  readonly template: WorkerTemplate;
  /** Fields that parse but have no effect in this version, as the user wrote them (JSON), by path. */
  readonly unserved: Readonly<Record<string, string>>;
}

export interface LevelConstraint {
  readonly level: string;
  readonly mode: 'required' | 'preferred';
  /** How long a preferred level is insisted on before it widens; null: not at all. Null for a required one. */
  readonly waitMs: number | null;
}

/** `workers` consecutive workers inside one domain of the level. */
export interface SegmentSpec {
  readonly level: string;
  readonly workers: number;
}

export const dependencyConditions = ['Succeeded', 'Failed', 'Finished', 'Started'] as const;

export interface DependencySpec {
  readonly job: JobName;
  readonly condition: (typeof dependencyConditions)[number];
}

/** What a spec holds that asks for none of these. Fields that came after version 0.1: older logs lack them. */
export const unaskedSpec = {
  gpuShareMilli: null,
  gpuProfile: null,
  axisOrder: [],
  traffic: {},
  segments: [],
  spread: null,
  exclusive: null,
  nodeSelector: {},
  avoidNodes: [],
  packing: 'tight',
  after: [],
  startAfterMs: null,
  deadlineMs: null,
  minRuntimeMs: 0,
  elastic: null,
  array: null,
  spares: 0,
} as const satisfies Partial<JobSpec>;

export interface CheckpointSpec {
  readonly directory: string;
  readonly intervalMs: number | null;
  readonly graceMs: number;
  readonly keep: number | null;
}

export interface WorkerTemplate {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Empty: the agent's work folder. */
  readonly workingDirectory: string;
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
}

/** Grace of a job that names no checkpoint. */
export const defaultGraceMs = 30_000;

/** Processes of one worker. */
export function processesOf(spec: Pick<JobSpec, 'processesPerWorker' | 'gpusPerWorker'>): number {
  return spec.processesPerWorker === 'gpu' ? Math.max(1, spec.gpusPerWorker) : 1;
}

/** What a worker takes of each of its GPUs: 1000 of a whole one. */
export function milliPerGpu({ gpuShareMilli, gpuProfile }: Pick<JobSpec, 'gpuShareMilli' | 'gpuProfile'>): number {
  return gpuProfile === null ? (gpuShareMilli ?? gpuMilliPerGpu) : profileMilli(gpuProfile);
}

/** A worker's place: a node and device indices of it. The n-th place of a gang is worker n's. */
export interface WorkerPlace {
  readonly node: NodeName;
  readonly gpus: readonly number[];
  /** UUID of the slot that it has of its one GPU; absent: whole GPUs, or a part. */
  readonly slot?: string;
}
/** In worker order. */
export type Placement = readonly WorkerPlace[];

/** Names one execution of a worker; nothing with the same name ever starts twice. */
export interface WorkerId {
  readonly job: JobUid;
  readonly attempt: number;
  readonly worker: number;
}

export const workerKey = (id: WorkerId): string => `${id.job}/${id.attempt}/${id.worker}`;

/** Why an attempt ended, gravest cause first when several hold. ApplicationFailure and LaunchFailure (a command that does not exist) are charged to the user. */
export const stopReasons = [
  'NodeFailure',
  'GpuFailure',
  'LaunchFailure',
  'ApplicationFailure',
  'Deleted',
  'MaxRuntime',
  'DeadlineExceeded',
  'Suspended',
  'Drained',
  'Preempted',
  'Moved',
  'Resized',
  'Succeeded',
] as const;
export type StopReason = (typeof stopReasons)[number];

/** Coordinates of the GPU with this number (0-based, in placement order), one per axis; the last axis varies fastest. */
export function meshCoordinates(mesh: Mesh, gpu: number): ReadonlyMap<MeshAxis, number> {
  const coordinates = new Map<MeshAxis, number>();
  let rest = gpu;
  for (const { axis, size } of [...mesh].reverse()) {
    coordinates.set(axis, rest % size);
    rest = Math.floor(rest / size);
  }
  return coordinates;
}
