import type { ReplayResult } from './replay.ts';
import type { ReplayJob } from './replayJob.ts';

/** The row by which policies are compared. Times in seconds, rounded; shares in percent. */
export interface ReplayTable {
  readonly jobs: number;
  readonly avgJctS: number;
  readonly p50JctS: number;
  readonly p99JctS: number;
  /** Queue is completion time less duration: time preempted and overheads are in it. */
  readonly avgQueueS: number;
  readonly p50QueueS: number;
  readonly p99QueueS: number;
  /** Between the first and the last submission. */
  readonly utilPct: number;
  readonly idleWhileQueuedPct: number;
  /** Of the time in which something waits, how much the first waiting job would have had the GPUs for, were they in one place. */
  readonly fragBlockedTimePct: number;
  readonly preemptions: number;
  /** Bounded slowdown: mean of max(1, JCT / max(duration, 10 s)). */
  readonly avgBsld: number;
  readonly makespanS: number;
  /** Mean queue of jobs smaller than a node, of one node, and larger. */
  readonly avgQueueSmallS: number;
  readonly avgQueueNodeS: number;
  readonly avgQueueMultiS: number;
}

export function replayTable({ jobs, usage, preemptions, shape }: ReplayResult): ReplayTable {
  const jct = jobs.map(jctOf).sort((a, b) => a - b);
  const queue = jobs.map(queueOf).sort((a, b) => a - b);
  const waits = (wanted: (gpus: number) => boolean): number => Math.round(mean(jobs.filter(({ gpus }) => wanted(gpus)).map(queueOf)));
  return {
    jobs: jobs.length,
    avgJctS: Math.round(mean(jct)),
    p50JctS: nearestRank(jct, 0.5),
    p99JctS: nearestRank(jct, 0.99),
    avgQueueS: Math.round(mean(queue)),
    p50QueueS: nearestRank(queue, 0.5),
    p99QueueS: nearestRank(queue, 0.99),
    utilPct: hundredths(usage.utilPct),
    idleWhileQueuedPct: hundredths(usage.idleWhileQueuedPct),
    fragBlockedTimePct: hundredths(usage.fragBlockedPct),
    preemptions,
    avgBsld: hundredths(mean(jobs.map((job) => Math.max(1, jctOf(job) / Math.max(job.durationS, 10))))),
    makespanS: makespanS(jobs),
    avgQueueSmallS: waits((gpus) => gpus < shape.nodeGpus),
    avgQueueNodeS: waits((gpus) => gpus === shape.nodeGpus),
    avgQueueMultiS: waits((gpus) => gpus > shape.nodeGpus),
  };
}

/** From the first submission to the last end. */
export function makespanS(jobs: readonly Readonly<ReplayJob>[]): number {
  const lastEndS = jobs.reduce((last, { endS }) => Math.max(last, endS), 0);
  return lastEndS - (jobs[0]?.submitS ?? 0);
}

export function jctOf({ endS, submitS }: Readonly<ReplayJob>): number {
  return endS - submitS;
}

export function queueOf({ endS, submitS, durationS }: Readonly<ReplayJob>): number {
  return endS - submitS - durationS;
}

/** 0 of nothing. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, each) => sum + each, 0) / values.length;
}

/** The value at rank ceil(share x n) of ascending values; 0 of nothing. */
export function nearestRank(ascending: readonly number[], share: number): number {
  return ascending[Math.ceil(share * ascending.length) - 1] ?? 0;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
