import type { ReservationRecord } from '../reservations/record.ts';
import { assert } from '#vocabulary/assert.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { noHolds } from '../nodes/holds.ts';
import type { JobRecord, NodeState, State } from '../state/state.ts';
import type { NodeView } from '../state/view.ts';
import type { FreeCategory } from './amounts.ts';
import { keeperOf } from '../nodes/promises.ts';
import { settleFree, settleJob, settleReservation } from './settle.ts';

/**
 * The node side of the ledger: how many thousandths of a GPU pass through each account in a millisecond. Whatever moves
 * a GPU, or a part of it, from one account to another goes through `changeNode`: it settles what has passed at the old
 * rates, takes the node out of them, lets the change happen and puts the node back.
 */
export function changeNode(state: State, node: NodeState, change: () => void): void {
  settleFree(state);
  for (const uid of node.jobs) settle(state, uid);
  for (const { job } of node.promises) settle(state, job);
  settleReservation(state, reservationOf(state, node));
  countNode(state, node, -1);
  change();
  countNode(state, node, 1);
}

function settle(state: State, uid: JobUid): void {
  const job = state.jobs.get(uid);
  if (job !== undefined) settleJob(state, job);
}

/** Adds (`sign` 1) or takes back (-1) the node's GPUs. Plain numbers: a cluster of a million GPUs is 10^9 of them. */
export function countNode(state: State, node: NodeState, sign: 1 | -1): void {
  const { ledger, jobs } = state;
  ledger.capacityMilli += sign * gpuMilliPerGpu * node.holds.length;
  // Neighbours are mostly alike, so a job is looked up, and a category written, once for a run of them.
  let job: JobRecord | undefined;
  let category: FreeCategory = 'idle';
  let sum = 0;
  const reservation = node.reserved?.purpose === 'use' ? reservationOf(state, node) : undefined;
  for (let gpu = 0; gpu < node.holds.length; gpu += 1) {
    let free = gpuMilliPerGpu;
    if (!isOut(node, gpu)) {
      for (const hold of node.holds[gpu] ?? noHolds) {
        if (job?.uid !== hold.job) job = jobs.get(hold.job);
        if (job === undefined) continue;
        job.ledger.milli += sign * hold.milli;
        free -= hold.milli;
      }
    }
    if (free === 0) continue;
    const next = freeCategoryOf(node, gpu);
    if (next === 'idle' && free === gpuMilliPerGpu) {
      const keeper = keeperOf(node, gpu);
      if (keeper !== undefined) {
        countReserved(jobs.get(keeper), sign * free);
        continue;
      }
    }
    if (next === 'idle' && reservation !== undefined) {
      reservation.ledger.milli += sign * free;
      continue;
    }
    if (next !== category) {
      ledger.freeMilli[category] += sign * sum;
      [category, sum] = [next, 0];
    }
    sum += free;
  }
  ledger.freeMilli[category] += sign * sum;
}

function reservationOf(state: State, { reserved }: NodeState): ReservationRecord | undefined {
  return reserved === null ? undefined : state.reservations.get(reserved.name);
}

function countReserved(keeper: JobRecord | undefined, milli: number): void {
  assert(keeper !== undefined, 'a GPU is kept for a job that is there');
  keeper.ledger.reservedMilli += milli;
}

/** Nobody is charged for a GPU that is sick or whose node is away, also when a job holds it. */
export function isOut(node: NodeView, gpu: number): boolean {
  return node.availability.kind !== 'ready' || node.health[gpu]?.healthy === false;
}

/**
 * What the part of a GPU is spent on that no job holds, unless it is `idle` and kept: a whole one for a job
 * (ledger/promises.ts), or what there is of it by a reservation that is under way. On a spare node it is `reserved`, and nobody's:
 * who wants spares is not charged for them.
 * The one place that says so: another reason for a GPU to be free becomes a line here, and whatever moves it goes through
 * `changeNode`.
 */
export function freeCategoryOf(node: NodeView, gpu: number): FreeCategory {
  if (isOut(node, gpu)) return 'unhealthy';
  if (node.cordon !== null || node.reserved?.purpose === 'maintenance') return 'cordoned';
  return node.spare === null ? 'idle' : 'reserved';
}
