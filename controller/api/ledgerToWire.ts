import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Amounts } from '#core/ledger/amounts.ts';
import { ledgerCategories, totalKinds } from '#core/ledger/amounts.ts';
import { readJobLedger, readLedger, readTotals } from '#core/ledger/readLedger.ts';
import type { StateView } from '#core/state/view.ts';
import type { LedgerResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { jobName } from '#vocabulary/ids.ts';

/** Throws INVALID_ARGUMENT for a grouping that there is none of. */
export function ledgerToWire(state: StateView, by: string, nowMs: number): MessageInitShape<typeof LedgerResponseSchema> {
  const { capacity, amounts } = readLedger(state, nowMs);
  const rows = [...(by === '' || by === 'cluster' ? [['', amounts] as const] : readRows(state, by, nowMs))];
  return {
    capacity: String(capacity),
    rows: rows.map(([name, row]) => ({ name, amounts: amountsToWire(row) })),
    revision: BigInt(state.revision),
  };
}

function readRows(state: StateView, by: string, nowMs: number): Iterable<readonly [string, Amounts]> {
  const kind = totalKinds.find((each) => each === by);
  if (kind !== undefined) return readTotals(state, kind, nowMs);
  if (by !== 'job') throw new RpcError('INVALID_ARGUMENT', `by: "${by}" is none of cluster, job, ${totalKinds.join(', ')}`);
  return [...state.jobsByName.keys()].sort().flatMap((name) => {
    const uid = state.jobsByName.get(jobName(name));
    const job = uid === undefined ? undefined : state.jobs.get(uid);
    return job === undefined ? [] : [[name, readJobLedger(state, job, nowMs)] as const];
  });
}

/** By category, decimal, without what is 0. */
export function amountsToWire(amounts: Readonly<Amounts>): Record<string, string> {
  return Object.fromEntries(
    ledgerCategories.filter((category) => amounts[category] !== 0n).map((category) => [category, String(amounts[category])]),
  );
}
