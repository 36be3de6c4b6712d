/** What holds for every policy on any trace. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { policies } from './policies/policies.ts';
import { replay, type ReplayResult } from './replay.ts';
import { replayReport } from './replayReport.ts';
import type { TraceJob } from './replayJob.ts';

const shape = { nodes: 3, nodeGpus: 4 };
const job = fc.record({
  submitS: fc.integer({ min: 0, max: 40_000 }),
  durationS: fc.integer({ min: 1, max: 20_000 }),
  gpus: fc.integer({ min: 1, max: 12 }),
  estimateS: fc.integer({ min: 1, max: 20_000 }),
  priority: fc.integer({ min: 0, max: 4 }),
});
const traces = fc
  .array(job, { minLength: 1, maxLength: 40 })
  .map((jobs): TraceJob[] => jobs.map((each, row) => ({ ...each, id: `j${row}` })));

const names = Object.keys(policies);
const all = Object.entries(policies);

function categoriesSum(result: ReplayResult): { readonly sum: bigint; readonly capacity: bigint } {
  const { ledger } = replayReport(result, { name: 'any', settings: {} });
  const sum = Object.values(ledger.categories).reduce((total, each) => total + BigInt(each), 0n);
  return { sum, capacity: BigInt(ledger.capacity) };
}

test('there are policies to look at', () => {
  expect(names.length).toBeGreaterThan(9);
});

test.each(all)('%s runs every job for exactly what it needs, and the ledger sums to the capacity', (_, policy) => {
  fc.assert(
    fc.property(traces, fc.integer({ min: 0, max: 5 }), (trace, overheadFactor) => {
      const result = replay({ trace, shape, policy, overheadFactor });
      for (const each of result.jobs) {
        expect(each.state).toBe('done');
        expect(each.heldS).toBe(each.durationS + each.overheadS);
        expect(each.endS - each.submitS).toBeGreaterThanOrEqual(each.heldS);
      }
      const { sum, capacity } = categoriesSum(result);
      expect(sum).toBe(capacity);
      expect(BigInt(replayReport(result, { name: 'any', settings: {} }).ledger.categories['idle'] ?? '-1')).toBeGreaterThanOrEqual(0n);
    }),
    { numRuns: cases(60) },
  );
});

const failure = fc.record({
  atS: fc.integer({ min: 0, max: 60_000 }),
  node: fc.integer({ min: 0, max: 2 }),
  repairS: fc.integer({ min: 0, max: 20_000 }),
});

test.each(all)('%s brings every job to its end though nodes fail, and the ledger still sums to the capacity', (_, policy) => {
  fc.assert(
    fc.property(traces, fc.array(failure, { maxLength: 6 }), (trace, failures) => {
      const result = replay({ trace, shape, policy, overheadFactor: 1, failurePlan: { failures, checkpointEveryS: 600 } });
      for (const each of result.jobs) expect(each.heldS).toBe(each.durationS + each.overheadS);
      const { sum, capacity } = categoriesSum(result);
      expect(sum).toBe(capacity);
    }),
    { numRuns: cases(60) },
  );
});

test.each(all)('%s decides the same on the same trace', (_, policy) => {
  fc.assert(
    fc.property(traces, (trace) => {
      const input = { trace, shape, policy, overheadFactor: 1 };
      expect(replay(input)).toEqual(replay(input));
    }),
    { numRuns: cases(15) },
  );
});

test('Shoal’s policy is not told run times: other estimates change nothing', () => {
  fc.assert(
    fc.property(traces, (trace) => {
      const untold = trace.map((each) => ({ ...each, estimateS: 1 }));
      const [told, blind] = [trace, untold].map((each) => replay({ trace: each, shape, policy: policies.shoal, overheadFactor: 1 }));
      expect(told?.jobs.map(({ endS }) => endS)).toEqual(blind?.jobs.map(({ endS }) => endS));
    }),
    { numRuns: cases(40) },
  );
});
