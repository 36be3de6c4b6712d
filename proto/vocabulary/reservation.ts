import type { JobName, NodeName, QueueName, UserName } from './ids.ts';

/** What a reservation is for. `maintenance`: nobody runs there. `use`: who is named, and nobody else. */
export type ReservationPurpose = 'maintenance' | 'use';

/**
 * How jobs without a sure end are kept from running into it. `suspend`: a preemptible one may start as long as it can still be
 * asked to leave in time. `runtime`: only who has said by when it ends, in time.
 */
export type Drain = 'runtime' | 'suspend';

/** A Reservation's spec, checked, with every default filled in. */
export interface ReservationSpec {
  readonly purpose: ReservationPurpose;
  /** For people; empty: none was given. */
  readonly reason: string;
  readonly nodes: NodeChoice;
  /** Who may run there, of `use`: each list adds to the others, and at least one is not empty. */
  readonly users: readonly UserName[];
  /** With all queues below them. */
  readonly queues: readonly QueueName[];
  /** A job that is not there yet, and the name of an array, count too. */
  readonly jobs: readonly JobName[];
  /** Of the first occurrence, milliseconds since 1970; of a cron line, the time from which on it counts. null: when it is applied. */
  readonly startMs: number | null;
  /** Of each occurrence: 1 or more. */
  readonly durationMs: number;
  /** null: once. */
  readonly repeat: Repeat | null;
  readonly drain: Drain;
  /** Of `use`: preemptible jobs may use what nobody of those who are named uses now. */
  readonly lend: boolean;
}

/** Whole nodes. All but `count` hold for nodes that come later, too. */
export type NodeChoice =
  | { readonly kind: 'names'; readonly names: readonly NodeName[] }
  /** Domains as `level/name`, or `level/name of the one above/name` where one name is not enough. */
  | { readonly kind: 'domains'; readonly domains: readonly string[] }
  /** Nodes that have all these labels. */
  | { readonly kind: 'labels'; readonly labels: Readonly<Record<string, string>> }
  | ({ readonly kind: 'count' } & NodeCount);

/** The scheduler chooses the nodes, and keeps them. */
export interface NodeCount {
  /** `gpus`: as many nodes as have so many GPUs together. 1 or more. */
  readonly of: 'nodes' | 'gpus';
  readonly amount: number;
  /** null: the cluster has only one. */
  readonly model: string | null;
  /** All inside one domain of this level; null: anywhere. */
  readonly level: string | null;
}

/** When it comes again, by the clock of a time zone. */
export type Repeat =
  /** At the same time of the day, every so many days. */
  | { readonly kind: 'days'; readonly days: 1 | 7; readonly timeZone: string; readonly untilMs: number | null }
  /** At each time that the five fields of a cron line name. */
  | { readonly kind: 'cron'; readonly line: string; readonly timeZone: string; readonly untilMs: number | null };

/** One occurrence: from `startMs` until before `endMs`, milliseconds since 1970. */
export interface Occurrence {
  readonly startMs: number;
  readonly endMs: number;
}
