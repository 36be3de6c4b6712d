import { expect, test } from 'vitest';
import type { NodeFailure } from './nodeFailures.ts';
import { policies } from './policies/policies.ts';
import { replay } from './replay.ts';
import { replayReport } from './replayReport.ts';

const day = { id: 'a', submitS: 0, durationS: 10_000, gpus: 16, estimateS: 10_000, priority: 0 };

/** One job on both of two nodes of 8 GPUs. */
function play(failures: readonly NodeFailure[]) {
  const failurePlan = { failures, checkpointEveryS: 600 };
  const result = replay({ trace: [day], shape: { nodes: 2, nodeGpus: 8 }, policy: policies.easy, overheadFactor: 1, failurePlan });
  return { endS: result.jobs[0]?.endS, ledger: replayReport(result, { name: 'easy', settings: {} }).ledger.categories };
}

test('a failure costs what was done since the last checkpoint, the repair, and five minutes of restart', () => {
  // 1,000 s in, 400 s are lost; the node is back at 3,000 s with 9,400 s to do and 300 s to start.
  expect(play([{ atS: 1_000, node: 1, repairS: 2_000 }])).toMatchObject({
    endS: 12_700,
    ledger: {
      productive: String(16n * 10_000n * 1_000_000n),
      recomputed: String(16n * 400n * 1_000_000n),
      starting: String(16n * 300n * 1_000_000n),
      unhealthy: String(8n * 2_000n * 1_000_000n),
      idle: String(8n * 2_000n * 1_000_000n),
    },
  });
});

test('a node that fails again while it is away stays away for longer', () => {
  const again = play([
    { atS: 1_000, node: 1, repairS: 2_000 },
    { atS: 2_000, node: 1, repairS: 5_000 },
  ]);
  expect(again.endS).toBe(16_700);
});

test('a failure of an idle time harms nobody', () => {
  expect(play([{ atS: 20_000, node: 0, repairS: 10 }]).endS).toBe(10_000);
});
