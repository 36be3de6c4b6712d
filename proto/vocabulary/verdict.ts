import type { JobSpec } from './job.ts';
import type { WaitReason } from './reasons.ts';

/**
 * Why a job waits, as the last scheduling pass left it: what binds, with the numbers that the pass compared, and what
 * would let it start. Amounts are GPUs and may be fractions of one; times are milliseconds since 1970. It speaks of no time
 * but fixed ones, so that it stays the same, byte for byte, as long as nothing changes.
 */
export interface Verdict {
  readonly class: VerdictClass;
  readonly wait: WaitReason;
  /** Since when it waits, in one go. */
  readonly sinceMs: number;
  readonly position: Position;
  /** Its own queue first, then those above it. */
  readonly queues: readonly QueueStanding[];
  readonly user: UserStanding;
  /** One for each GPU model that it accepts and the cluster has, in the order in which they are tried. */
  readonly rooms: readonly ModelRoom[];
  readonly displacement: Displacement;
  /** Each of them was tried: with this one change the same pass would have placed the job. */
  readonly remedies: readonly Remedy[];
  readonly outlook: Outlook;
}

/**
 * `ConfigurationFault`: it never starts as it is written and as the cluster is set up. `NeedsAction`: somebody keeps it
 * back, or has to bring something back. `HonestWait`: its turn comes by itself.
 */
export const verdictClasses = ['ConfigurationFault', 'NeedsAction', 'HonestWait'] as const;
export type VerdictClass = (typeof verdictClasses)[number];

/** Places are counted from 1, among jobs that may start as soon as there is room. */
export interface Position {
  readonly inQueue: { readonly at: number; readonly of: number };
  readonly inAll: { readonly at: number; readonly of: number };
  /** Those looked at before it, of all queues, in order; the first ones, `inAll.at - 1` of them in all. */
  readonly ahead: readonly JobAhead[];
}

export interface JobAhead {
  readonly name: string;
  readonly queue: string;
  readonly gpus: number;
}

/** Of one queue with all below it. */
export interface QueueStanding {
  readonly name: string;
  readonly isHeld: boolean;
  readonly weight: number;
  /** Held (and past) share of the cluster for each unit of weight. */
  readonly share: number;
  /** What the order compares: the share with half of its next job. */
  readonly compared: number;
  /** held / guaranteed, below 1; 1: not below its guarantee, or it has none for what is wanted. */
  readonly fulfilled: number;
  readonly isServing: boolean;
  /** Its place among the queues beside it that have waiting jobs. */
  readonly turn: { readonly at: number; readonly of: number };
  /** The one right before it; null: it is the first. */
  readonly after: { readonly name: string; readonly compared: number } | null;
  /** Of the models that the job accepts. */
  readonly quotas: readonly Quota[];
}

export interface Quota {
  readonly model: string;
  readonly used: number;
  readonly guaranteed: number;
  /** null: unlimited. */
  readonly limit: number | null;
}

/** The user in the job's own queue. */
export interface UserStanding {
  readonly name: string;
  readonly share: number;
  readonly running: number;
  /** null: unlimited. */
  readonly maxRunning: number | null;
  readonly limits: readonly Omit<Quota, 'guaranteed'>[];
}

export interface ModelRoom {
  /** null: a job without GPUs. */
  readonly model: string | null;
  /** Healthy ones that nobody holds, on nodes that take work; what is kept for others does not count. */
  readonly freeGpus: number;
  /** The whole cluster first (`cluster`), then each level, outermost first. */
  readonly levels: readonly LevelRoom[];
  /** Every node of the cluster is in one of them; those that matter most first, none is empty. */
  readonly nodes: readonly NodeGroup[];
}

export interface LevelRoom {
  readonly level: string;
  /** The gang must be inside one of these, now. */
  readonly isRequired: boolean;
  readonly domains: number;
  /** How many could hold the whole gang now. */
  readonly host: number;
  /** Workers of the gang that fit into the best one now, segments and spread counted. */
  readonly best: number;
}

export const nodeWhys = [
  'fits',
  'tooFewFree',
  'full',
  'kept',
  'unhealthy',
  'spare',
  'reserved',
  'cordoned',
  'lost',
  'exclusive',
  'notEmpty',
  'cpuOrMemory',
  'tooSmall',
  'otherModel',
  'labels',
  'avoided',
] as const;
export type NodeWhy = (typeof nodeWhys)[number];

/** Nodes that take no worker for the same reason, or that take some. */
export interface NodeGroup {
  readonly why: NodeWhy;
  /** Why they are cordoned or lost, the code of the fault, the jobs that they are kept, or spares, for, the reservations that keep them; empty: `why` says all. */
  readonly detail: string;
  readonly count: number;
  /** Of the wanted model on them: healthy, held by nobody and kept for nobody. */
  readonly freeGpus: number;
  /** The first ones by name. */
  readonly names: readonly string[];
}

/** Who could be asked to leave for it, of those that run on the models that it accepts. */
export interface Displacement {
  readonly running: number;
  /** May be asked now. When the job waits all the same, their leaving would not be enough. */
  readonly mayAsk: number;
  /** Stand where jobs ahead of it were promised to be. */
  readonly promised: number;
  readonly notPreemptible: number;
  /** Equal or higher in rank: class, priority, and what they have had. */
  readonly notLower: number;
  /** Their queues would fall below a guarantee. */
  readonly guaranteed: number;
  /** Not before they have run for as long as they asked for (`minRuntime`); the first of them until `youngUntilMs`. */
  readonly young: number;
  readonly youngUntilMs: number | null;
}

/** When it starts, as far as somebody promised it. */
export interface Outlook {
  /** At the latest; null: nobody knows. */
  readonly startsByMs: number | null;
  /** Whether jobs of its queue ahead of it have all the promises of a time that there are (reservationsPerQueue). */
  readonly isBehindPromised: boolean;
  /** Where; empty: not known. */
  readonly nodes: readonly string[];
  /** Who must go before, or do something; the first ones by time. */
  readonly waitsFor: readonly WaitsFor[];
  /** When it stops insisting on a preferred level; null: it does not, or insists for ever. */
  readonly widensAtMs: number | null;
  /** When it gets a place that is kept as it empties, if nothing else comes first; null: not at all. */
  readonly targetAtMs: number | null;
}

export interface WaitsFor {
  readonly job: string;
  /** In one word: running, suspending, pending … */
  readonly state: string;
  /** When its GPUs are free at the latest; null: it never said. */
  readonly goneByMs: number | null;
}

/** One change with which the job would start now. */
export type Remedy =
  /** `data`: size of the mesh's data axis then; null: it has no mesh. */
  | { readonly kind: 'FewerWorkers'; readonly workers: number; readonly data: number | null }
  | { readonly kind: 'FewerGpus'; readonly gpusPerWorker: number; readonly data: number | null }
  /** As many GPUs in all, in more workers; segments and spread grow with their number. */
  | ({ readonly kind: 'SmallerWorkers' } & Pick<JobSpec, 'workers' | 'gpusPerWorker' | 'segments' | 'spread'>)
  /** `level` null: inside none. `constraints`: all that are left. */
  | ({ readonly kind: 'WiderLevel'; readonly from: string; readonly level: string | null } & Pick<JobSpec, 'constraints'>)
  | { readonly kind: 'NoSegments' }
  | { readonly kind: 'NoSpread' }
  | { readonly kind: 'NotExclusive'; readonly level: string }
  | { readonly kind: 'AnyNode' }
  | { readonly kind: 'AvoidNone' }
  | { readonly kind: 'OtherModel'; readonly model: string }
  /** It is over before those ahead start on what is kept for them. */
  | { readonly kind: 'Deadline'; readonly atMs: number; readonly before: readonly string[] }
  | { readonly kind: 'Next'; readonly before: readonly string[] }
  | { readonly kind: 'QueueLimit'; readonly queue: string; readonly model: string; readonly limit: number }
  | { readonly kind: 'UserLimit'; readonly queue: string; readonly model: string; readonly limit: number }
  | { readonly kind: 'UserMaxRunning'; readonly queue: string; readonly limit: number }
  | { readonly kind: 'OpenQueue'; readonly queue: string }
  | { readonly kind: 'Release' }
  | { readonly kind: 'StartNow' }
  | { readonly kind: 'NoDependency'; readonly jobs: readonly string[] }
  | { readonly kind: 'Uncordon'; readonly nodes: readonly string[] };
