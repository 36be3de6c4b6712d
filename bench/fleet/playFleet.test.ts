import { expect, test } from 'vitest';
import { playFleet } from './playFleet.ts';
import { aimsOf } from './printFleet.ts';

// The core's promises, over-allocation among them, are checked as it plays: playFleet throws when one breaks.
test('a small fleet with more work than it holds: services and guarantees come in time, and the books are right', async () => {
  const run = await playFleet({ nodes: 48, days: 0.6, load: 2, elastic: 0 });
  const { all, whileAnythingWaits } = run.allocation;
  expect(whileAnythingWaits.waitingMs).toBeGreaterThan(all.waitingMs / 10);
  expect(run.ends.get('Preempted')).toBeGreaterThan(0);
  const serving = run.waits.starts.filter(({ queue }) => queue === 'serving').map(({ ms }) => ms);
  expect(serving.length).toBeGreaterThan(5);
  expect(Math.max(...serving)).toBe(0);
  const met = aimsOf(run).flatMap(({ what, isMet }) => (isMet ? [what] : []));
  expect(met).toEqual(
    expect.arrayContaining([
      'nobody guaranteed waits longer than the grace, 60.0 s',
      'lost work < 0.5 %',
      'ledger: the sum is the capacity',
    ]),
  );
  expect(run.finished.failed).toBe(0);
}, 180_000);
