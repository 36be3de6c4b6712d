import type { FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { LedgerCategory } from '../amounts.ts';
import { ledgerCategories } from '../amounts.ts';
import { readLedger } from '../readLedger.ts';

/** GPU-seconds by category since the last look, of the whole cluster; what is nothing is left out. */
export function meter(cluster: FakeCluster): () => Partial<Record<LedgerCategory, number>> {
  let before = readLedger(cluster.view, cluster.nowMs).amounts;
  return () => {
    const now = readLedger(cluster.view, cluster.nowMs).amounts;
    const spent: Partial<Record<LedgerCategory, number>> = {};
    for (const category of ledgerCategories) {
      const amount = now[category] - before[category];
      if (amount !== 0n) spent[category] = Number(amount) / 1e6;
    }
    before = now;
    return spent;
  };
}
