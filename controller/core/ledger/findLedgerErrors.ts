import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { StateView } from '../state/view.ts';
import type { FreeCategory } from './amounts.ts';
import { freeCategories, heldCategories, ledgerCategories, totalKinds } from './amounts.ts';
import { freeCategoryOf, isOut } from './rates.ts';
import { readLedger, readTotals } from './readLedger.ts';

/**
 * Proves the ledger at the time of its last event: categories sum to the capacity; users, queues and projects each have
 * all the time that jobs were charged for; and the rates are those that the nodes give when they are counted anew.
 * One sentence for each broken promise; empty when all hold. O(state).
 */
export function findLedgerErrors(state: StateView): readonly string[] {
  return [...checkCapacity(state), ...checkTotals(state), ...checkRates(state)];
}

function* checkCapacity(state: StateView): Generator<string> {
  const { amounts, capacity } = readLedger(state, state.ledger.nowMs);
  const sum = ledgerCategories.reduce((total, category) => total + amounts[category], 0n);
  if (sum !== capacity) yield `ledger: categories sum to ${sum}, capacity is ${capacity}`;
}

function* checkTotals(state: StateView): Generator<string> {
  const { amounts } = readLedger(state, state.ledger.nowMs);
  for (const kind of totalKinds) {
    const rows = [...readTotals(state, kind, state.ledger.nowMs).values()];
    for (const category of heldCategories) {
      const sum = rows.reduce((total, row) => total + row[category], 0n);
      if (sum !== amounts[category]) yield `ledger: ${category} of all by ${kind} sums to ${sum}, the cluster has ${amounts[category]}`;
    }
    if (rows.some((row) => freeCategories.some((category) => row[category] !== 0n)))
      yield `ledger: a ${kind} has time that no job is charged for`;
  }
}

function* checkRates(state: StateView): Generator<string> {
  const free: Record<FreeCategory, number> = { reserved: 0, unhealthy: 0, cordoned: 0, idle: 0 };
  const held = new Map<string, number>();
  let gpus = 0;
  for (const node of state.nodes.values()) {
    for (const [gpu, holds] of node.holds.entries()) {
      gpus += 1;
      const charged = isOut(node, gpu) ? [] : holds;
      for (const { job, milli } of charged) held.set(job, (held.get(job) ?? 0) + milli);
      free[freeCategoryOf(node, gpu)] += gpuMilliPerGpu - charged.reduce((sum, { milli }) => sum + milli, 0);
    }
  }
  if (state.ledger.capacityMilli !== gpus * gpuMilliPerGpu)
    yield `ledger: rate of capacity is ${state.ledger.capacityMilli}, there are ${gpus} GPUs`;
  for (const category of freeCategories) {
    const rate = state.ledger.freeMilli[category];
    if (rate !== free[category]) yield `ledger: rate of ${category} is ${rate}, the nodes give ${free[category]}`;
  }
  for (const { name, uid, ledger } of state.jobs.values()) {
    if (ledger.milli !== (held.get(uid) ?? 0))
      yield `ledger: job ${name} is charged for ${ledger.milli}, the nodes give ${held.get(uid) ?? 0}`;
  }
}
