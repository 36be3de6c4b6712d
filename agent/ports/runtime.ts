import type { Launch } from '#vocabulary/assignment.ts';
import type { WorkerId } from '#vocabulary/job.ts';

/** A process as it can be found again after the agent's own restart: a pid alone may have been given to another. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Kernel's start time of the process in clock ticks since boot (Linux), or seconds since the epoch elsewhere. */
  readonly startTime: number;
  readonly bootId: string;
}

/** Where one worker's ranks are started and ended. One adapter: process groups in cgroups. */
export interface Runtime {
  /**
   * Starts one rank. At most once for a name, even when called twice or when the agent dies half-way: the second
   * caller gets `already-started`. Resolves when the process exists; its end is told through `onRankEnd`.
   */
  startRank(start: RankStart): Promise<StartResult>;
  /** Looks for a rank that an earlier agent started: alive, ended (with its status when known), or never started. */
  findRank(id: WorkerId, rank: number): Promise<FoundRank>;
  /** Sends the signal to every process of the worker (whole tree). No error when there is none. */
  signalWorker(id: WorkerId, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Whether any process of the worker is still there (zombies do not count). */
  isWorkerAlive(id: WorkerId): Promise<boolean>;
  /** Removes the worker's cgroup and control files; its logs stay. Only after its end. */
  forgetWorker(id: WorkerId): Promise<void>;
  /** Called for every rank, once, within 500 ms of its end, also for adopted ones. */
  onRankEnd(listener: (end: RankEnd) => void): void;
}

export interface RankStart {
  readonly id: WorkerId;
  readonly rank: number;
  readonly launch: Launch;
  /** Complete environment of the process. */
  readonly env: Readonly<Record<string, string>>;
}

export type StartResult =
  | { readonly kind: 'started'; readonly process: ProcessIdentity }
  | { readonly kind: 'already-started' }
  /** Nothing runs: command not found, folder missing, cannot be executed. The message names the thing. */
  | { readonly kind: 'failed'; readonly message: string };

export type FoundRank =
  | { readonly kind: 'alive'; readonly process: ProcessIdentity }
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: string | null }
  | { readonly kind: 'never-started' };

export interface RankEnd {
  readonly id: WorkerId;
  readonly rank: number;
  /** Both null: the status is not known. */
  readonly exitCode: number | null;
  readonly signal: string | null;
}
