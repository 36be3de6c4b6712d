import type { WorkerId } from './job.ts';

/** A worker as its agent sees it. */
export interface ObservedWorker {
  readonly id: WorkerId;
  readonly state: WorkerState;
  readonly ranks: readonly ObservedRank[];
}

export type WorkerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'ended'; readonly reason: WorkerEnd; readonly message: string };

/**
 * exited: by itself (see exit codes) · killed: as asked · launch-failed: never ran ·
 * vanished: found dead after an agent's restart, exit status unknown.
 */
export const workerEnds = ['exited', 'killed', 'launch-failed', 'vanished'] as const;
export type WorkerEnd = (typeof workerEnds)[number];

/** A process as its agent sees it. */
export interface ObservedRank {
  readonly rank: number;
  readonly state: RankState;
  readonly progress: ObservedProgress | null;
  readonly checkpoint: ObservedCheckpoint | null;
  /** The program asks about suspension: it has posted progress or polls /v1/suspend. */
  readonly suspendAware: boolean;
  /** The last suspend round that was answered; `accepted` false: the proposed step had already been passed. */
  readonly suspendAnswer: { readonly round: number; readonly accepted: boolean } | null;
}

export type RankState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly pid: number }
  /** Both null: the status is not known. */
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: string | null };

export interface ObservedProgress {
  readonly step: number;
  readonly loss: number | null;
  /** Seen by the whole job since it first started. */
  readonly tokens: number | null;
  readonly stepSeconds: number | null;
}

export interface ObservedCheckpoint {
  readonly step: number;
  readonly path: string;
  /** rank: a part, complete when every rank has reported the step. job: the whole. */
  readonly scope: 'rank' | 'job';
  /** For how long the rank computed nothing to save it; null: it did not say. */
  readonly tookMs: number | null;
}

export interface GpuHealth {
  readonly index: number;
  readonly healthy: boolean;
  /** e.g. `xid:79`, `gpu-lost`; empty when healthy. */
  readonly code: string;
  readonly message: string;
}

/** Readings of one device; 0 where the device has none. */
export interface GpuSample {
  readonly index: number;
  readonly utilizationPercent: number;
  readonly memoryUsedBytes: number;
  readonly powerMilliwatts: number;
  readonly temperatureCelsius: number;
}
