import type { MeshAxis } from '#vocabulary/job.ts';
import type { Launch } from '#vocabulary/assignment.ts';
import type { ObservedCheckpoint, ObservedProgress } from '#vocabulary/observed.ts';
import { attemptFolder } from './environment.ts';
import { coordinatesOf, peersOf } from './meshView.ts';
import type { RankRecord, WorkerRecord } from './nodeState.ts';
import { decidedStepOf } from './suspend.ts';

/** What a program can ask about itself (`GET /v1/self`). */
export interface SelfView {
  readonly jobUid: string;
  readonly jobName: string;
  readonly attempt: number;
  readonly worker: number;
  readonly workers: number;
  readonly rank: number;
  readonly localRank: number;
  readonly worldSize: number;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly mesh: Launch['mesh'];
  /** The least and the most workers that an attempt has; null: one size only. */
  readonly sizes: { readonly min: number; readonly max: number } | null;
  /** Of the rank's first GPU. */
  readonly coordinates: ReadonlyMap<MeshAxis, number>;
  /** Ranks along each axis through the rank's first GPU, itself included, ascending. */
  readonly peers: ReadonlyMap<MeshAxis, readonly number[]>;
  readonly checkpointFolder: string | null;
  readonly resume: { readonly step: number; readonly path: string } | null;
  readonly lastCheckpoint: ObservedCheckpoint | null;
  readonly lastProgress: ObservedProgress | null;
}

/** @param launch with absolute folders (`resolveLaunch`) */
export function selfView({ id }: WorkerRecord, launch: Launch, { rank, checkpoint, progress }: RankRecord): SelfView {
  return {
    jobUid: id.job,
    jobName: launch.jobName,
    attempt: id.attempt,
    worker: id.worker,
    workers: launch.workers,
    rank,
    localRank: rank - launch.firstRank,
    worldSize: launch.worldSize,
    coordinator: { address: launch.coordinatorAddress, port: launch.coordinatorPort },
    mesh: launch.mesh,
    sizes: launch.sizes ?? null,
    coordinates: coordinatesOf(launch, rank),
    peers: peersOf(launch, rank),
    checkpointFolder: attemptFolder(id, launch),
    resume: launch.checkpoint?.resume ?? null,
    lastCheckpoint: checkpoint,
    lastProgress: progress,
  };
}

/** Whether the scheduler wants the GPUs back (`GET /v1/suspend`). */
export interface SuspensionView {
  readonly requested: boolean;
  /** Of the talk about the stop step, from 1; 0: not requested. A worker that is ended by signals is in round 1. */
  readonly round: number;
  readonly graceMs: number;
  /** Until signals follow; 0 when they have been sent. */
  readonly deadlineInMs: number;
  readonly stopStep: number | null;
  readonly decided: boolean;
  /** In a word, e.g. `resize`; null: not requested, or not told. */
  readonly reason: string | null;
  /** It starts again at once with so many workers; null: not at once, or with as many. */
  readonly workers: number | null;
}

export function suspensionView({ suspend, leaving, end }: WorkerRecord, nowMs: number): SuspensionView {
  if (suspend !== null) {
    const { round, stage, graceMs, deadlineMs } = suspend;
    const deadlineInMs = leaving.kind === 'no' ? Math.max(0, deadlineMs - nowMs) : 0;
    const stopStep = stage.kind === 'ask' ? null : stage.stopStep;
    const reason = suspend.why === undefined ? null : (words[suspend.why.reason] ?? null);
    return {
      requested: true,
      round,
      graceMs,
      deadlineInMs,
      stopStep,
      decided: decidedStepOf(suspend) !== null,
      reason,
      workers: suspend.why?.workers ?? null,
    };
  }
  const requested = leaving.kind !== 'no' || end.kind !== 'none';
  const graceMs = leaving.kind === 'terminating' ? leaving.graceMs : 0;
  return { requested, round: requested ? 1 : 0, graceMs, deadlineInMs: 0, stopStep: null, decided: false, reason: null, workers: null };
}

/** Why it is asked to leave, as programs are told. */
const words: Readonly<Record<string, string>> = {
  Suspended: 'suspend',
  Drained: 'drain',
  Preempted: 'preempt',
  Moved: 'move',
  Resized: 'resize',
  Deleted: 'delete',
};
