import type { DependencySpec } from './job.ts';
import { formatTimestamp } from './timestamp.ts';

/**
 * Why a job waits. Waiting is data: each member carries its numbers; `describeWait` is the only wording. Amounts are
 * GPUs, and may be fractions of one.
 */
export type WaitReason =
  | {
      readonly kind: 'InsufficientGpus';
      readonly wanted: GangShape;
      readonly free: number;
      readonly slots: number;
      readonly model: string | null;
      /** Free GPUs that are kept for jobs ahead of it; absent: none. */
      readonly kept?: number;
      /** Free GPUs that are kept as spares; absent: none. */
      readonly spare?: number;
    }
  | { readonly kind: 'NoSuchGpuModel'; readonly wanted: readonly string[]; readonly present: readonly string[] }
  /** `present`: profiles of slots that the cluster has on the models that were wanted. */
  | { readonly kind: 'NoSuchGpuProfile'; readonly wanted: string; readonly present: readonly string[] }
  | {
      readonly kind: 'LevelTooSmall';
      readonly wanted: GangShape;
      readonly level: string;
      readonly best: number;
      /** Not the job wants it: as many gangs cross the level as the cluster allows. Absent: the job wants it. */
      readonly crossingFull?: boolean;
    }
  | {
      readonly kind: 'QueueLimit';
      readonly queue: string;
      readonly model: string;
      readonly limit: number;
      readonly used: number;
      readonly wanted: number;
    }
  | {
      readonly kind: 'UserLimit';
      readonly queue: string;
      readonly user: string;
      readonly model: string;
      readonly limit: number;
      readonly used: number;
      readonly wanted: number;
    }
  | { readonly kind: 'UserMaxRunning'; readonly queue: string; readonly user: string; readonly limit: number }
  | {
      readonly kind: 'WaitingForVictims';
      readonly wanted: GangShape;
      readonly victims: readonly string[];
      /** Those of them that only give back a part. Absent: none. */
      readonly shrinking?: readonly string[];
    }
  /** Free by then for sure: all who are there have promised to be gone. */
  | { readonly kind: 'Reserved'; readonly wanted: GangShape; readonly atMs: number; readonly nodes: readonly string[] }
  /**
   * There is room, and these reservations keep it from the job, all of them together: they are under way, or begin before it is gone for
   * sure. `untilMs`: the last of them is over. `atMs`: it starts by then; absent: no time is known.
   */
  | {
      readonly kind: 'Reservation';
      readonly wanted: GangShape;
      readonly reservations: readonly string[];
      readonly nodes: readonly string[];
      readonly fromMs: number;
      readonly untilMs: number;
      readonly isUnderWay: boolean;
      /** Of the one that it is; empty: none was given. */
      readonly reason: string;
      readonly atMs?: number;
    }
  /** A place that is kept as it empties; `free`: workers for which it is free already. */
  | { readonly kind: 'WaitingForTarget'; readonly wanted: GangShape; readonly free: number; readonly nodes: readonly string[] }
  /** `queue` is the job's own or one above it. */
  | { readonly kind: 'QueueHeld'; readonly queue: string }
  | { readonly kind: 'PassLimit' }
  | { readonly kind: 'Held'; readonly by: string; readonly atMs: number }
  | { readonly kind: 'NotBefore'; readonly untilMs: number }
  /** `state` in one word (pending, running, succeeded…); null: no such job. */
  | {
      readonly kind: 'Dependency';
      readonly job: string;
      readonly condition: DependencySpec['condition'];
      readonly state: string | null;
    }
  /** That job is over in a way that never lets this one start. */
  | {
      readonly kind: 'DependencyNever';
      readonly job: string;
      readonly condition: DependencySpec['condition'];
      readonly state: string;
    }
  | { readonly kind: 'ArrayParallelism'; readonly array: string; readonly limit: number };

export interface GangShape {
  readonly workers: number;
  readonly gpusPerWorker: number;
}

/** One sentence with the numbers that bind. */
export function describeWait(wait: WaitReason): string {
  switch (wait.kind) {
    case 'InsufficientGpus':
      return `${gang(wait.wanted)} wanted${wait.model === null ? '' : ` on ${wait.model}`}; ${wait.slots} of ${wait.wanted.workers} workers fit now (${wait.free} GPUs free${wait.kept === undefined ? '' : `, ${wait.kept} more are kept for jobs ahead`}${wait.spare === undefined ? '' : `, ${wait.spare} more are spare`})`;
    case 'NoSuchGpuModel':
      return `${wait.wanted.length === 0 ? 'GPUs' : `GPU model ${wait.wanted.join(' or ')}`} wanted; the cluster has ${wait.present.length === 0 ? 'no GPUs' : wait.present.join(', ')}`;
    case 'NoSuchGpuProfile':
      return `slots of ${wait.wanted} wanted; ${wait.present.length === 0 ? 'no such GPU of the cluster is divided into slots' : `the cluster has slots of ${wait.present.join(', ')}`}`;
    case 'LevelTooSmall':
      return `${gang(wait.wanted)} wanted inside one ${wait.level}; the best ${wait.level} has room for ${wait.best} workers now${wait.crossingFull === true ? ` (other jobs have the links between ${wait.level}s: crossZoneJobsMax)` : ''}`;
    case 'QueueLimit':
      return `queue ${wait.queue} may hold ${wait.limit} ${wait.model} GPUs, holds ${wait.used}; ${wait.wanted} more wanted`;
    case 'UserLimit':
      return `user ${wait.user} may hold ${wait.limit} ${wait.model} GPUs in queue ${wait.queue}, holds ${wait.used}; ${wait.wanted} more wanted`;
    case 'UserMaxRunning':
      return `user ${wait.user} may run ${wait.limit} jobs at a time in queue ${wait.queue}`;
    case 'WaitingForVictims':
      return `${gang(wait.wanted)} will be free when ${describeVictims(wait.victims, wait.shrinking ?? [])}`;
    case 'Reserved':
      return `${gang(wait.wanted)} reserved from ${formatTimestamp(wait.atMs)} on ${listed(wait.nodes)}, when those who are there have ended`;
    case 'Reservation':
      return describeReservation(wait);
    case 'WaitingForTarget':
      return `${gang(wait.wanted)} wanted; ${listed(wait.nodes)} ${wait.nodes.length === 1 ? 'is' : 'are'} kept for it and empt${wait.nodes.length === 1 ? 'ies' : 'y'}: room for ${wait.free} of ${wait.wanted.workers} workers now`;
    case 'QueueHeld':
      return `queue ${wait.queue} is held (hold: true): nothing of it starts until it is released`;
    case 'PassLimit':
      return 'not looked at yet: the scheduling pass reached its limit; the next pass goes on';
    case 'Held':
      return `held by ${wait.by} since ${formatTimestamp(wait.atMs)}; \`shoal release\` lets it start`;
    case 'NotBefore':
      return `not before ${formatTimestamp(wait.untilMs)}`;
    case 'Dependency':
      return `waits for job ${wait.job} to ${conditionVerbs[wait.condition]}, ${wait.state === null ? 'which does not exist yet' : `which is ${wait.state}`}`;
    case 'DependencyNever':
      return `waits for job ${wait.job} to ${conditionVerbs[wait.condition]}, which it never will: it has ${wait.state}; change spec.after, or delete this job`;
    case 'ArrayParallelism':
      return `at most ${wait.limit} jobs of array ${wait.array} run at a time`;
  }
}

function describeReservation(wait: Extract<WaitReason, { kind: 'Reservation' }>): string {
  const { wanted, reservations, nodes, fromMs, untilMs, isUnderWay, reason, atMs } = wait;
  const whose = `reservation${reservations.length === 1 ? '' : 's'} ${listed(reservations)}${reason === '' ? '' : ` (${reason})`}`;
  const from = formatTimestamp(fromMs);
  const until = formatTimestamp(untilMs);
  const why = isUnderWay
    ? `${listed(nodes)} ${nodes.length === 1 ? 'is' : 'are'} kept by ${whose} until ${until}`
    : `${listed(nodes)} ${nodes.length === 1 ? 'has' : 'have'} room, but it may not be gone when ${whose} begins ${from}, until ${until}; a maxRuntime that ends before lets it start`;
  return `${gang(wanted)} wanted; ${why}${atMs === undefined ? '' : `; starts by ${formatTimestamp(atMs)}`}`;
}

const conditionVerbs = { Succeeded: 'succeed', Failed: 'fail', Finished: 'finish', Started: 'start' } as const;

/** `a, b have left and c has shrunk`. */
function describeVictims(victims: readonly string[], shrinking: readonly string[]): string {
  const did = (names: readonly string[], what: string): readonly string[] =>
    names.length === 0 ? [] : [`${listed(names)} ${names.length === 1 ? 'has' : 'have'} ${what}`];
  const leaving = victims.filter((name) => !shrinking.includes(name));
  return [...did(leaving, 'left'), ...did(shrinking, 'shrunk')].join(' and ');
}

function gang(shape: GangShape): string {
  return `${shape.workers} x ${shape.gpusPerWorker} GPUs`;
}

/** Names in a sentence; long lists are cut. */
function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
