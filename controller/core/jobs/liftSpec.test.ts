import { expect, test } from 'vitest';
import { apply } from '#core/state/apply.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { parseLine } from '#controller/loop/logLine.ts';
import { applyJob } from '#test/simulation/fakeCluster.ts';
import { unaskedSpec } from '#vocabulary/job.ts';

/** As version 0.1 wrote it. */
const oldLine = `1 {"kind":"JobCreated","uid":"u1","name":"a","user":"alice","labels":{},"annotations":{},"spec":{"queue":"default","priority":20,"preemptible":true,"gpuModels":[],"workers":1,"gpusPerWorker":1,"processesPerWorker":"worker","mesh":[],"constraints":[{"level":"rack","mode":"required"}],"checkpoint":null,"restarts":{"max":0,"withinMs":null},"maxRuntimeMs":null,"template":{"command":["train"],"env":{},"workingDirectory":"","cpuMilli":null,"memoryBytes":null},"unserved":{}},"atMs":5}`;

test('a job of an older log has what came since as nobody asked for it', () => {
  const state = emptyState();
  apply(state, parseLine(oldLine), 10);
  const [job] = state.jobs.values();
  expect(job?.spec).toMatchObject({ ...unaskedSpec, constraints: [{ level: 'rack', mode: 'required', waitMs: null }] });
  expect(job).toMatchObject({ held: null, next: null, array: null });
  expect(Object.keys(job?.spec ?? {}).sort()).toEqual(Object.keys(applyJob('a').spec).sort());
});

test('what a version after that wrote keeps its wishes', () => {
  const { gpuProfile: _, ...stored } = {
    ...applyJob('a').spec,
    constraints: [{ level: 'rack', mode: 'preferred', waitMs: 7 }],
    gpuShareMilli: 250,
  };
  const line = `1 ${JSON.stringify({ kind: 'JobCreated', uid: 'u1', name: 'a', user: 'alice', labels: {}, annotations: {}, spec: stored, atMs: 5 })}`;
  const state = emptyState();
  apply(state, parseLine(line), 10);
  expect(state.jobs.values().next().value?.spec).toEqual({ ...stored, gpuProfile: null });
});
