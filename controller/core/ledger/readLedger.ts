import type { JobView, ReservationView, StateView } from '../state/view.ts';
import type { Amounts, TotalKind } from './amounts.ts';
import { freeCategories, milliTime } from './amounts.ts';
import { categoryOf } from './settle.ts';
import { reservationRow, rowOf, totalNameOf } from './totals.ts';

/** Capacity and categories of the whole cluster up to `nowMs`, without touching the state; `spare` is the part of `reserved` that is no job's. */
export function readLedger(
  state: StateView,
  nowMs: number,
): { readonly capacity: bigint; readonly spare: bigint; readonly amounts: Amounts } {
  const { ledger } = state;
  const amounts = { ...ledger.amounts };
  const elapsedMs = Math.max(ledger.nowMs, nowMs) - ledger.settledAtMs;
  for (const category of freeCategories) amounts[category] += milliTime(elapsedMs, ledger.freeMilli[category]);
  for (const job of state.jobs.values()) addOpenTime(state, job, nowMs, amounts);
  for (const reservation of state.reservations.values()) amounts.reserved += openUnused(state, reservation, nowMs);
  const spare = ledger.spare + milliTime(elapsedMs, ledger.freeMilli.reserved);
  return { capacity: ledger.capacity + milliTime(elapsedMs, ledger.capacityMilli), spare, amounts };
}

/** One job's amounts up to `nowMs`, without touching the state. */
export function readJobLedger(state: StateView, job: JobView, nowMs: number): Amounts {
  const amounts = { ...job.ledger.amounts };
  addOpenTime(state, job, nowMs, amounts);
  return amounts;
}

/** Amounts up to `nowMs` by user, by queue (its own jobs, not those of queues below it) or by project, in name order. */
export function readTotals(state: StateView, kind: TotalKind, nowMs: number): ReadonlyMap<string, Amounts> {
  const rows = new Map([...state.ledger.totals[kind]].map(([name, amounts]): [string, Amounts] => [name, { ...amounts }]));
  for (const job of state.jobs.values()) if (hasRate(job)) addOpenTime(state, job, nowMs, rowOf(rows, totalNameOf(job, kind)));
  for (const reservation of state.reservations.values()) {
    const unused = openUnused(state, reservation, nowMs);
    if (unused > 0n) rowOf(rows, reservationRow(reservation.name)).reserved += unused;
  }
  return new Map([...rows].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** Of a reservation up to `nowMs`, in milli-GPU-milliseconds, without touching the state. */
export const readUnused = (state: StateView, reservation: ReservationView, nowMs: number): bigint =>
  reservation.ledger.amount + openUnused(state, reservation, nowMs);

const openUnused = (state: StateView, { ledger }: ReservationView, nowMs: number): bigint =>
  ledger.milli === 0 ? 0n : milliTime(Math.max(state.ledger.nowMs, nowMs) - ledger.settledAtMs, ledger.milli);

const hasRate = ({ ledger }: JobView): boolean => ledger.milli > 0 || ledger.reservedMilli > 0;

/** What the job will be charged for at its next settling. */
function addOpenTime(state: StateView, job: JobView, nowMs: number, amounts: Amounts): void {
  if (!hasRate(job)) return;
  const elapsedMs = Math.max(state.ledger.nowMs, nowMs) - job.ledger.settledAtMs;
  amounts[categoryOf(job)] += milliTime(elapsedMs, job.ledger.milli);
  amounts.reserved += milliTime(elapsedMs, job.ledger.reservedMilli);
}
