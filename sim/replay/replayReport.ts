import { noAmounts } from '#core/ledger/amounts.ts';
import type { PolicySettings } from './policies/policy.ts';
import type { ReplayResult } from './replay.ts';
import { jctOf, makespanS, mean, nearestRank, queueOf, replayTable, type ReplayTable } from './replayTable.ts';

/** Times in whole milliseconds; percentiles by nearest rank. */
export interface Distribution {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
}

export interface ReplayReport {
  readonly policy: { readonly name: string; readonly settings: PolicySettings };
  readonly metrics: {
    /** GPU time that jobs held, of all GPU time between the first submission and the last end. */
    readonly allocation: number;
    /** The jobs' durations over the times from their first start to their end. */
    readonly effective: number;
    readonly queueingDelay: Distribution;
    /** By the jobs' priority; one entry, of priority 0, where the trace has none. */
    readonly queueingDelayByPriority: Readonly<Record<string, Distribution>>;
    readonly completionTime: Distribution;
    /** Starts and stops. */
    readonly decisions: number;
  };
  /** Milli-GPU-milliseconds as decimal digits; the categories sum to the capacity exactly. */
  readonly ledger: { readonly capacity: string; readonly categories: Readonly<Record<string, string>> };
  /** From the first submission to the last end, in milliseconds. */
  readonly makespan: number;
  readonly table: ReplayTable;
}

export function replayReport(result: ReplayResult, policy: ReplayReport['policy']): ReplayReport {
  const { jobs, shape, starts, preemptions } = result;
  const spanS = makespanS(jobs);
  const capacity = BigInt(shape.nodes * shape.nodeGpus) * BigInt(spanS);
  const productive = sumGpuS(result, ({ durationS }) => durationS);
  const recomputed = sumGpuS(result, ({ recomputedS }) => recomputedS);
  const starting = sumGpuS(result, ({ restartingS }) => restartingS);
  const held = productive + sumGpuS(result, ({ overheadS }) => overheadS);
  const suspending = held - productive - recomputed - starting;
  const unhealthy = BigInt(result.downGpuS);
  // What a replay does not know stays 0.
  const amounts = { ...noAmounts(), productive, suspending, recomputed, starting, unhealthy, idle: capacity - held - unhealthy };
  return {
    policy,
    metrics: {
      allocation: Number(held) / Number(capacity),
      effective: mean(jobs.map(({ durationS }) => durationS)) / mean(jobs.map(({ endS, firstStartS }) => endS - firstStartS)),
      queueingDelay: distribution(jobs.map(queueOf)),
      queueingDelayByPriority: Object.fromEntries(
        Array.from(
          Map.groupBy(jobs, ({ priority }) => String(priority)),
          ([priority, group]) => [priority, distribution(group.map(queueOf))],
        ),
      ),
      completionTime: distribution(jobs.map(jctOf)),
      decisions: starts + preemptions,
    },
    ledger: {
      capacity: milliGpuMs(capacity),
      categories: Object.fromEntries(Object.entries(amounts).map(([name, gpuS]) => [name, milliGpuMs(gpuS)])),
    },
    makespan: spanS * 1_000,
    table: replayTable(result),
  };
}

type Job = ReplayResult['jobs'][number];

function sumGpuS({ jobs }: ReplayResult, seconds: (job: Job) => number): bigint {
  return jobs.reduce((sum, job) => sum + BigInt(job.gpus) * BigInt(seconds(job)), 0n);
}

function milliGpuMs(gpuS: bigint): string {
  return String(gpuS * 1_000_000n);
}

function distribution(seconds: readonly number[]): Distribution {
  const ascending = [...seconds].sort((a, b) => a - b);
  return {
    mean: Math.round(mean(ascending) * 1_000),
    p50: nearestRank(ascending, 0.5) * 1_000,
    p99: nearestRank(ascending, 0.99) * 1_000,
  };
}
