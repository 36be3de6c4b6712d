/** The one file here that knows the core's ledger. Amounts are milli-GPU-milliseconds. */
import type { Amounts } from '#core/ledger/amounts.ts';
import { ledgerCategories } from '#core/ledger/amounts.ts';
import { readJobLedger, readLedger } from '#core/ledger/readLedger.ts';
import type { JobView, StateView } from '#core/state/view.ts';

/** A number, or decimal digits where a number would lose some (beyond 2^53 - 1). */
export type Amount = number | string;
export type AmountReport = Readonly<Record<string, Amount>>;

export interface LedgerReport {
  readonly capacity: Amount;
  readonly categories: AmountReport;
  readonly byWorkload: Readonly<Record<string, AmountReport>>;
}

export interface LedgerFacts {
  readonly report: LedgerReport;
  readonly capacity: bigint;
  /** Held by workloads, whatever for. */
  readonly held: bigint;
  /** By job, in the order of `jobs`. */
  readonly productive: readonly bigint[];
}

/** `jobs` may be removed ones: their records still hold what they used. Those of one name are one workload. */
export function readLedgerFacts(state: StateView, jobs: readonly JobView[], nowMs: number): LedgerFacts {
  const { capacity, amounts } = readLedger(state, nowMs);
  const ofJobs = jobs.map((job) => readJobLedger(state, job, nowMs));
  const byWorkload = new Map<string, Amounts>();
  for (const [index, job] of jobs.entries()) {
    const own = ofJobs[index];
    if (own === undefined) continue;
    const sum = byWorkload.get(job.name);
    byWorkload.set(job.name, sum === undefined ? own : add(sum, own));
  }
  const report: LedgerReport = {
    capacity: amountOf(capacity),
    categories: amountsOf(amounts),
    byWorkload: Object.fromEntries(
      [...byWorkload].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, own]) => [`job/${name}`, amountsOf(own)]),
    ),
  };
  const free = amounts.idle + amounts.cordoned + amounts.unhealthy + amounts.reserved;
  return { report, capacity, held: capacity - free, productive: ofJobs.map((own) => own.productive) };
}

function add(left: Amounts, right: Amounts): Amounts {
  const sum = { ...left };
  for (const category of ledgerCategories) sum[category] += right[category];
  return sum;
}

const amountsOf = (amounts: Amounts): AmountReport =>
  Object.fromEntries(ledgerCategories.map((category) => [category, amountOf(amounts[category])]));

const amountOf = (amount: bigint): Amount => (amount <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(amount) : String(amount));
