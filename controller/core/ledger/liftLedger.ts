import type { NodeName } from '#vocabulary/ids.ts';
import type { State } from '../state/state.ts';
import { addAmounts, freeCategories, jobCategories, noAmounts, totalKinds } from './amounts.ts';
import { countNode } from './rates.ts';
import { settleFree, settleJob } from './settle.ts';
import { rowOf, totalNameOf } from './totals.ts';

/**
 * Brings the ledger of a snapshot of format 1 up to its last event. There each node had a time of its own up to which
 * it was settled, and nobody kept totals: they start with what the jobs that are still there know. Time of jobs that
 * were removed has lost its names and is kept under ''.
 */
export function liftLedger(state: State, nodes: readonly { readonly name: NodeName; readonly settledAtMs?: number }[]): void {
  const { ledger } = state;
  for (const kind of totalKinds) {
    const unnamed = { ...ledger.amounts };
    for (const category of freeCategories) unnamed[category] = 0n;
    for (const job of state.jobs.values()) {
      addAmounts(rowOf(ledger.totals[kind], totalNameOf(job, kind)), job.ledger.amounts);
      for (const category of jobCategories) unnamed[category] -= job.ledger.amounts[category];
    }
    if (jobCategories.some((category) => unnamed[category] !== 0n))
      addAmounts(rowOf(ledger.totals[kind], ''), { ...noAmounts(), ...unnamed });
  }
  for (const { name, settledAtMs = state.atMs } of nodes) settleOld(state, name, settledAtMs);
}

/** One node alone passes from its own time to now: nothing else has a rate yet. */
function settleOld(state: State, name: NodeName, sinceMs: number): void {
  const node = state.nodes.get(name);
  if (node === undefined) return;
  const jobs = [...node.jobs].flatMap((uid) => state.jobs.get(uid) ?? []);
  state.ledger.settledAtMs = sinceMs;
  for (const job of jobs) job.ledger.settledAtMs = sinceMs;
  countNode(state, node, 1);
  settleFree(state);
  for (const job of jobs) settleJob(state, job);
  countNode(state, node, -1);
}
