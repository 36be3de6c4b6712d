/** Small random scenarios: whatever comes, the promises hold (checked after each step), gangs are whole, and the ledger adds up. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { job, playText, scenarioText } from '../testing/playText.ts';

const nodes = 4;
const minute = (at: number): string => `${at}m`;

const jobEntry = fc
  .record({
    at: fc.nat(30),
    workers: fc.integer({ min: 1, max: 5 }),
    gpus: fc.integer({ min: 0, max: 4 }),
    work: fc.integer({ min: 1, max: 40 }),
    save: fc.integer({ min: 0, max: 5 }),
    memory: fc.boolean(),
    onSuspend: fc.constantFrom('save', 'exit', 'ignore'),
    perGpu: fc.boolean(),
    priority: fc.constantFrom(10, 20, 90),
  })
  .map((one) => (name: string) => {
    const run = [
      `work: ${one.work}m, step: 7s, loadTakes: 11s, checkpointTakes: 3s, onSuspend: ${one.onSuspend}`,
      ...(one.save > 0 ? [`checkpointEvery: ${one.save}m`] : []),
      ...(one.memory ? ['memoryCheckpointEvery: 20s'] : []),
    ].join(', ');
    const spec = `workers: ${one.workers}, gpusPerWorker: ${one.gpus}, processesPerWorker: ${one.perGpu ? 'gpu' : 'worker'}, restarts: {max: 2}, priority: ${one.priority}`;
    return job(name, { at: minute(one.at), spec, run });
  });

const node = fc.integer({ min: 1, max: nodes }).map((number) => `n${number}`);
const span = fc.integer({ min: 1, max: 900 }).map((seconds) => `${seconds}s`);
const faultText = fc.oneof(
  fc.tuple(node, span).map(([name, length]) => `{node: ${name}, kind: node-down, for: ${length}}`),
  fc.tuple(node, span).map(([name, length]) => `{node: ${name}, kind: agent-lost, for: ${length}}`),
  fc.tuple(node, span).map(([name, length]) => `{node: ${name}, kind: link-flap, for: ${length}}`),
  fc.tuple(node, span).map(([name, length]) => `{node: ${name}, kind: slow, factor: 1.7, for: ${length}}`),
  fc
    .tuple(node, fc.constantFrom(31, 79, 94), fc.nat(3))
    .map(([name, code, gpu]) => `{node: ${name}, kind: xid, code: ${code}, gpu: ${gpu}}`),
  fc.constantFrom('r1', 'r2').map((rack) => `{domain: [z1, b1, ${rack}], kind: node-down, for: 2m}`),
  fc.nat(1).map((number) => `{kind: process-exit, job: j${number}, rank: 0, code: 1}`),
  fc.nat(1).map((number) => `{kind: hang, job: j${number}}`),
);
const verbText = fc.oneof(
  fc.tuple(fc.constantFrom('suspend', 'resume', 'delete'), fc.nat(1)).map(([verb, number]) => `{verb: ${verb}, target: job/j${number}}`),
  fc.tuple(fc.constantFrom('cordon', 'uncordon', 'drain'), node).map(([verb, name]) => `{verb: ${verb}, target: node/${name}}`),
);
const entry = fc.tuple(
  fc.nat(60),
  fc.oneof(
    faultText.map((text) => `fault: ${text}`),
    verbText.map((text) => `do: ${text}`),
  ),
);

const scenarios = fc
  .tuple(fc.array(jobEntry, { minLength: 2, maxLength: 6 }), fc.array(entry, { maxLength: 10 }), fc.option(fc.nat(100)))
  .map(([jobs, entries, failureSeed]) =>
    scenarioText({
      nodes,
      timeline: [...jobs.map((make, index) => make(`j${index}`)), ...entries.map(([at, text]) => `{at: ${minute(at)}, ${text}}`)],
      ...(failureSeed === null ? {} : { cluster: 'failures: {perThousandNodeDays: 20000, meanRepair: {soft: 5m, hard: 1h}}' }),
      rest: `seed: ${failureSeed ?? 0}\nuntil: 3h`,
    }),
  );

test('promises hold, gangs are whole, and the ledger sums to the capacity, in any scenario', () => {
  fc.assert(
    fc.property(scenarios, (text) => {
      const report = playText(text);
      const sum = Object.values(report.ledger.categories).reduce((total, amount) => total + BigInt(amount), 0n);
      expect(sum).toBe(BigInt(report.ledger.capacity));
      expect(sum).toBe(BigInt(nodes * 4 * 1000) * BigInt(report.endedAt));
      for (const amounts of [report.ledger.categories, ...Object.values(report.ledger.byWorkload)])
        expect(Object.entries(amounts).filter(([, amount]) => BigInt(amount) < 0n)).toEqual([]);
      for (const workload of Object.values(report.workloads)) {
        expect(new Set(workload.attempts.map(({ placement }) => placement.length)).size).toBeLessThanOrEqual(1);
        expect(workload.effective).toBeLessThanOrEqual(1);
        for (const attempt of workload.attempts) expect(attempt.lastCheckpointStep).toBeGreaterThanOrEqual(0);
      }
      expect(JSON.stringify(playText(text))).toBe(JSON.stringify(report));
    }),
    { numRuns: cases(60), seed: 20_261_125 },
  );
});
