import type { JobView } from '#core/state/view.ts';
import type { LedgerFacts } from './ledgerReport.ts';

export interface Metrics {
  /** Share of the capacity that workloads held. */
  readonly allocation: number;
  /** Of all workloads, weighted by their GPUs: productive time over time since first placement. */
  readonly effective: number;
  /** Submission to first placement, of those that were placed. Milliseconds. */
  readonly queueingDelay: Spread & { readonly mean: number };
  /** Submission to success. Milliseconds. */
  readonly completionTime: Spread & { readonly mean: number };
  /** Scheduling passes. */
  readonly decisions: number;
  /** By the wall clock, milliseconds; only when asked for. */
  readonly decisionTime?: Spread;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
}

export interface Measured {
  readonly jobs: readonly JobView[];
  readonly ledger: LedgerFacts;
  readonly endedAtMs: number;
  readonly decisions: number;
  /** null: not asked for. */
  readonly decisionMs: readonly number[] | null;
}

export function measure({ jobs, ledger, endedAtMs, decisions, decisionMs }: Measured): Metrics {
  const delays = jobs.flatMap((job) => (job.attempts[0] === undefined ? [] : [job.attempts[0].placedAtMs - job.createdAtMs]));
  const completions = jobs.flatMap((job) =>
    job.phase.kind === 'finished' && job.phase.outcome === 'Succeeded' ? [job.phase.atMs - job.createdAtMs] : [],
  );
  let productive = 0n;
  let span = 0n;
  for (const [index, job] of jobs.entries()) {
    productive += ledger.productive[index] ?? 0n;
    span += gpuMilliMs(job, endedAtMs);
  }
  return {
    allocation: ratio(ledger.held, ledger.capacity),
    effective: ratio(productive, span),
    queueingDelay: { mean: mean(delays), ...spreadOf(delays) },
    completionTime: { mean: mean(completions), ...spreadOf(completions) },
    decisions,
    ...(decisionMs === null ? {} : { decisionTime: spreadOf(decisionMs) }),
  };
}

/** 0 for a workload that was never placed or has no GPUs; 1 at most, but for an elastic one that had more than it asked for. */
export function effectiveOf(job: JobView, productive: bigint, endedAtMs: number): number {
  return ratio(productive, gpuMilliMs(job, endedAtMs));
}

/** The GPUs that it asked for, over the time since it was first placed. */
function gpuMilliMs(job: JobView, endedAtMs: number): bigint {
  const first = job.attempts[0];
  if (first === undefined) return 0n;
  const lastEnd = job.attempts.at(-1)?.endedAtMs ?? endedAtMs;
  const overAtMs = job.phase.kind === 'finished' ? lastEnd : endedAtMs;
  return BigInt(overAtMs - first.placedAtMs) * BigInt(job.spec.workers * job.spec.gpusPerWorker * 1000);
}

/** To six decimals, so that no rounding of the machine shows. */
function ratio(part: bigint, whole: bigint): number {
  return whole <= 0n ? 0 : Number((part * 1_000_000n) / whole) / 1_000_000;
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);

/** By nearest rank: the smallest value that at least so many per cent do not exceed. */
function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (percent: number): number => sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
  return { p50: at(50), p99: at(99) };
}
