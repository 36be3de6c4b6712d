import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { readJobLedger, readLedger, readTotals } from '#core/ledger/readLedger.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { jobUid } from '#vocabulary/ids.ts';
import { policy } from './fakeCluster.ts';

/** Written by version 0.1.0: a job runs on two nodes, one waits, one was removed, a node is cordoned, and no two nodes were settled at one time. */
const body = readFileSync(new URL('fixtures/snapshot-1.json', import.meta.url), 'utf8');
const laterMs = 1_029_500;

test('a snapshot of format 1 keeps every millisecond, and totals begin with what its jobs know', () => {
  const state = restoreSnapshot(parseSnapshot(body));
  expect(findBrokenPromises(state, policy)).toEqual([]);
  // As version 0.1.0 itself would have answered at that time.
  expect(readLedger(state, laterMs)).toMatchObject({
    capacity: 118_000_000n,
    amounts: { productive: 36_000_000n, starting: 3_000_000n, cordoned: 2_500_000n, idle: 76_500_000n },
  });
  const job = state.jobs.get(jobUid('uid-a'));
  expect(job === undefined ? null : readJobLedger(state, job, laterMs)).toMatchObject({ productive: 17_000_000n, starting: 2_000_000n });
  expect([...readTotals(state, 'user', laterMs)].map(([name, { productive }]) => [name, productive])).toEqual([
    ['', 19_000_000n],
    ['alice', 17_000_000n],
  ]);
  const again = printSnapshot(state);
  expect(printSnapshot(restoreSnapshot(parseSnapshot(again)))).toBe(again);
});
