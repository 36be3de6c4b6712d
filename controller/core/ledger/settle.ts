import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { JobRecord, NodeState, State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView, NodeView, StateView } from '../state/view.ts';
import type { Amounts, LedgerCategory } from './amounts.ts';
import { ledgerCategories, noAmounts } from './amounts.ts';

/**
 * The ledger: every milli-GPU-millisecond of every GPU goes to exactly one category.
 *
 * A node is settled (time since the last settling goes to the categories that its GPUs are in) just before any event
 * that could move one of its GPUs to another category. The job's share and the cluster's are the same additions, and the
 * capacity is added in the same place, so that the sums agree by construction; `checkLedger` proves it all the same.
 * Running time is `unsaved` until a checkpoint or the end makes it productive, or a loss makes it recomputed.
 */
export function settleNode(state: State, node: NodeState, nowMs: number): void {
  const elapsedMs = nowMs - node.settledAtMs;
  if (elapsedMs <= 0) return;
  node.settledAtMs = nowMs;
  const perGpu = BigInt(elapsedMs) * BigInt(gpuMilliPerGpu);
  for (let gpu = 0; gpu < node.owners.length; gpu += 1) {
    state.ledger.capacity += perGpu;
    const owner = node.owners[gpu];
    const job = owner === null || owner === undefined ? undefined : state.jobs.get(owner);
    const category = categoryOf(node, gpu, job);
    state.ledger.amounts[category] += perGpu;
    if (job === undefined || category === 'unhealthy') continue;
    job.ledger.amounts[category] += perGpu;
    if (category === 'productive') job.ledger.unsaved += perGpu;
  }
}

/** Settles every node that the job stands on. */
export function settleJob(state: State, job: JobRecord, nowMs: number): void {
  for (const place of currentAttempt(job)?.placement ?? []) {
    const node = state.nodes.get(place.node);
    if (node !== undefined) settleNode(state, node, nowMs);
  }
}

/**
 * Time taken for productive turns out to be something else: `recomputed` when what ran since the last checkpoint is lost,
 * `starting` when the program's first progress tells how long it loaded. A program that tells nothing is productive throughout.
 */
export function moveUnsaved(state: State, job: JobRecord, category: 'recomputed' | 'starting'): void {
  const { unsaved } = job.ledger;
  for (const { amounts } of [job.ledger, state.ledger]) {
    amounts.productive -= unsaved;
    amounts[category] += unsaved;
  }
  job.ledger.unsaved = 0n;
}

function categoryOf(node: NodeView, gpu: number, job: JobView | undefined): LedgerCategory {
  if (node.availability.kind !== 'ready' || node.health[gpu]?.healthy === false) return 'unhealthy';
  if (job === undefined) return node.cordon === null ? 'idle' : 'cordoned';
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

/** Capacity and categories up to `nowMs`, without touching the state. */
export function readLedger(state: StateView, nowMs: number): { readonly capacity: bigint; readonly amounts: Amounts } {
  const amounts = { ...state.ledger.amounts };
  let { capacity } = state.ledger;
  for (const node of state.nodes.values()) {
    for (const open of openTime(state, node, nowMs)) {
      amounts[open.category] += open.amount;
      capacity += open.amount;
    }
  }
  return { capacity, amounts };
}

/** One job's amounts up to `nowMs`, without touching the state. */
export function readJobLedger(state: StateView, job: JobView, nowMs: number): Amounts {
  const amounts = { ...noAmounts(), ...job.ledger.amounts };
  const nodes = new Set(currentAttempt(job)?.placement.map((place) => place.node) ?? []);
  for (const name of nodes) {
    const node = state.nodes.get(name);
    if (node === undefined) continue;
    for (const open of openTime(state, node, nowMs)) {
      if (open.owner === job.uid && open.category !== 'unhealthy') amounts[open.category] += open.amount;
    }
  }
  return amounts;
}

function* openTime(
  state: StateView,
  node: NodeView,
  nowMs: number,
): Generator<{ category: LedgerCategory; owner: string | null; amount: bigint }> {
  const elapsedMs = Math.max(0, nowMs - node.settledAtMs);
  const amount = BigInt(elapsedMs) * BigInt(gpuMilliPerGpu);
  for (let gpu = 0; gpu < node.owners.length; gpu += 1) {
    const owner = node.owners[gpu] ?? null;
    const job = owner === null ? undefined : state.jobs.get(owner);
    yield { category: categoryOf(node, gpu, job), owner, amount };
  }
}

/** The sum of all categories equals the capacity; empty when it holds. */
export function checkLedger(state: StateView): readonly string[] {
  const sum = ledgerCategories.reduce((total, category) => total + state.ledger.amounts[category], 0n);
  return sum === state.ledger.capacity ? [] : [`ledger: categories sum to ${sum}, capacity is ${state.ledger.capacity}`];
}
