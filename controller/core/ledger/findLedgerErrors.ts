import type { JobUid } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { StateView } from '../state/view.ts';
import type { FreeCategory, LedgerCategory } from './amounts.ts';
import { freeCategories, jobCategories, ledgerCategories, totalKinds } from './amounts.ts';
import { promisedPlaces } from './promises.ts';
import { freeCategoryOf, isOut } from './rates.ts';
import { readLedger, readTotals } from './readLedger.ts';

/**
 * Proves the ledger at the time of its last event: categories sum to the capacity; users, queues and projects each have
 * all the time that was some job's; and the rates are those that nodes and promises give when they are counted anew.
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
  const { amounts, spare } = readLedger(state, state.ledger.nowMs);
  for (const kind of totalKinds) {
    const rows = [...readTotals(state, kind, state.ledger.nowMs).values()];
    for (const category of jobCategories) {
      const sum = rows.reduce((total, row) => total + row[category], category === 'reserved' ? spare : 0n);
      if (sum !== amounts[category]) yield `ledger: ${category} of all by ${kind} sums to ${sum}, the cluster has ${amounts[category]}`;
    }
    if (rows.some((row) => ledgerCategories.some((category) => isNobodys(category) && row[category] !== 0n)))
      yield `ledger: a ${kind} has time that is nobody's`;
  }
}

const isNobodys = (category: LedgerCategory): boolean => !jobCategories.some((one) => one === category);

function* checkRates(state: StateView): Generator<string> {
  const { free, held, reserved, unused, gpus } = countRates(state);
  if (state.ledger.capacityMilli !== gpus * gpuMilliPerGpu)
    yield `ledger: rate of capacity is ${state.ledger.capacityMilli}, there are ${gpus} GPUs`;
  for (const category of freeCategories) {
    const rate = state.ledger.freeMilli[category];
    if (rate !== free[category]) yield `ledger: rate of ${category} is ${rate}, the nodes give ${free[category]}`;
  }
  for (const { name, uid, ledger } of state.jobs.values()) {
    if (ledger.milli !== (held.get(uid) ?? 0))
      yield `ledger: job ${name} is charged for ${ledger.milli}, the nodes give ${held.get(uid) ?? 0}`;
    if (ledger.reservedMilli !== (reserved.get(uid) ?? 0))
      yield `ledger: ${ledger.reservedMilli} are kept for job ${name}, nodes and promises give ${reserved.get(uid) ?? 0}`;
  }
  for (const { name, ledger } of state.reservations.values()) {
    if (ledger.milli !== (unused.get(name) ?? 0))
      yield `ledger: reservation ${name} keeps ${ledger.milli} free, the nodes give ${unused.get(name) ?? 0}`;
  }
}

/** GPU by GPU, from the records alone. */
function countRates(state: StateView) {
  const free: Record<FreeCategory, number> = { reserved: 0, unhealthy: 0, cordoned: 0, idle: 0 };
  const held = new Map<JobUid, number>();
  const reserved = new Map<JobUid, number>();
  const unused = new Map<string, number>();
  const keepers = findKeepers(state);
  let gpus = 0;
  for (const node of state.nodes.values()) {
    for (const [gpu, holds] of node.holds.entries()) {
      gpus += 1;
      const charged = isOut(node, gpu) ? [] : holds;
      for (const { job, milli } of charged) held.set(job, (held.get(job) ?? 0) + milli);
      const milli = gpuMilliPerGpu - charged.reduce((sum, hold) => sum + hold.milli, 0);
      const category = freeCategoryOf(node, gpu);
      const keeper = keepers.size > 0 && category === 'idle' && milli === gpuMilliPerGpu ? keepers.get(`${node.name}/${gpu}`) : undefined;
      const reservation = category === 'idle' && node.reserved?.purpose === 'use' ? node.reserved.name : undefined;
      if (keeper === undefined && reservation !== undefined) unused.set(reservation, (unused.get(reservation) ?? 0) + milli);
      else if (keeper === undefined) free[category] += milli;
      else reserved.set(keeper, (reserved.get(keeper) ?? 0) + milli);
    }
  }
  return { free, held, reserved, unused, gpus };
}

/** By node and GPU, the first job by uid that was promised it whole: a promised slot is no GPU. */
function findKeepers(state: StateView): ReadonlyMap<string, JobUid> {
  const keepers = new Map<string, JobUid>();
  for (const job of state.jobs.values()) {
    for (const { node, gpus, slot } of promisedPlaces(job)) {
      for (const gpu of slot === undefined ? gpus : []) {
        const key = `${node}/${gpu}`;
        const other = keepers.get(key);
        if (other === undefined || job.uid < other) keepers.set(key, job.uid);
      }
    }
  }
  return keepers;
}
