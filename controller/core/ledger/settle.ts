import type { ReservationRecord } from '../reservations/record.ts';
import type { JobRecord, State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { HeldCategory } from './amounts.ts';
import { freeCategories, milliTime, totalKinds } from './amounts.ts';
import { accountsOf, reservationRow, rowOf, totalNameOf } from './totals.ts';

/**
 * The ledger: every milli-GPU-millisecond of every GPU goes to exactly one category.
 *
 * Time is not counted GPU by GPU. A job is charged at a rate (the thousandths that it holds on GPUs that are well) for
 * one category at a time, which its stage names, and at another rate for free GPUs that are kept for it; what is nobody's
 * has a rate by category for the whole cluster. An account is settled (rate x time since the last settling) just before its rate or category moves, so a gang
 * of 256 nodes that starts costs as much as a job of one GPU. Rates move in ledger/rates.ts; capacity has a rate of its
 * own, so that `findLedgerErrors` proves the sums instead of repeating them.
 *
 * Running time is `unsaved` until a checkpoint or the end makes it productive, less what saving took, or a loss makes it recomputed.
 */
export function settleFree(state: State): void {
  const { ledger } = state;
  const elapsedMs = ledger.nowMs - ledger.settledAtMs;
  if (elapsedMs === 0) return;
  ledger.settledAtMs = ledger.nowMs;
  ledger.capacity += milliTime(elapsedMs, ledger.capacityMilli);
  for (const category of freeCategories) ledger.amounts[category] += milliTime(elapsedMs, ledger.freeMilli[category]);
  ledger.spare += milliTime(elapsedMs, ledger.freeMilli.reserved);
}

/** Charges the job up to now. To be called before its stage changes. */
export function settleJob(state: State, job: JobRecord): void {
  const { ledger } = job;
  const elapsedMs = state.ledger.nowMs - ledger.settledAtMs;
  ledger.settledAtMs = state.ledger.nowMs;
  if (elapsedMs === 0) return;
  if (ledger.reservedMilli !== 0) {
    const amount = milliTime(elapsedMs, ledger.reservedMilli);
    for (const amounts of accountsOf(state, job)) amounts.reserved += amount;
  }
  if (ledger.milli === 0) return;
  const amount = milliTime(elapsedMs, ledger.milli);
  const category = categoryOf(job);
  for (const amounts of accountsOf(state, job)) amounts[category] += amount;
  if (category === 'productive') ledger.unsaved += amount;
}

/** What it reserves and nobody uses: the cluster's, and in the totals a row of its own. To be called before its nodes change. */
export function settleReservation(state: State, reservation: ReservationRecord | undefined): void {
  if (reservation === undefined) return;
  const { ledger, name } = reservation;
  const amount = milliTime(state.ledger.nowMs - ledger.settledAtMs, ledger.milli);
  ledger.settledAtMs = state.ledger.nowMs;
  if (amount === 0n) return;
  ledger.amount += amount;
  state.ledger.amounts.reserved += amount;
  for (const kind of totalKinds) rowOf(state.ledger.totals[kind], reservationRow(name)).reserved += amount;
}

/**
 * Time taken for productive turns out to be something else: `recomputed` when what ran since the last checkpoint is lost,
 * `starting` when the program's first progress tells how long it loaded. A program that tells nothing is productive throughout.
 */
export function moveUnsaved(state: State, job: JobRecord, category: 'recomputed' | 'starting'): void {
  move(state, job, category, job.ledger.unsaved);
}

/**
 * So much of the time up to now the gang stood still to save, as its ranks say: at most what it was productive since its
 * last checkpoint. To be called when it is settled.
 */
export function moveSaving(state: State, job: JobRecord, savedMs: number): void {
  if (savedMs === 0) return;
  const { milli, unsaved } = job.ledger;
  const saved = milliTime(savedMs, milli);
  move(state, job, 'checkpointing', saved < unsaved ? saved : unsaved);
}

function move(state: State, job: JobRecord, category: Exclude<HeldCategory, 'productive'>, amount: bigint): void {
  for (const amounts of accountsOf(state, job)) {
    amounts.productive -= amount;
    amounts[category] += amount;
  }
  job.ledger.unsaved -= amount;
}

/**
 * Changes what the job's totals are named by. Time that is settled stays where it was; what is unsaved goes along, so
 * that the row that loses it later is the row that has it.
 */
export function changeOwners(state: State, job: JobRecord, change: () => void): void {
  settleJob(state, job);
  const { totals } = state.ledger;
  const rows = () => totalKinds.map((kind) => rowOf(totals[kind], totalNameOf(job, kind)));
  const { unsaved } = job.ledger;
  if (unsaved === 0n) {
    change();
    return;
  }
  for (const row of rows()) row.productive -= unsaved;
  change();
  for (const row of rows()) row.productive += unsaved;
}

/** What a job is charged for, by its stage. */
export function categoryOf(job: JobView): HeldCategory {
  switch (currentAttempt(job)?.stage.kind) {
    case 'starting':
      return 'starting';
    case 'running':
      return 'productive';
    case 'suspending':
      return 'suspending';
    case 'stopping':
    case 'ended':
    case undefined:
      return 'stalled';
  }
}
