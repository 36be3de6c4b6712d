import { expect, test } from 'vitest';
import { replay } from '../replay.ts';
import type { TraceJob } from '../replayJob.ts';
import { policies } from './policies.ts';

function job(
  id: string,
  submitS: number,
  gpus: number,
  { runs, told = runs }: { readonly runs: number; readonly told?: number },
): TraceJob {
  return { id, submitS, durationS: runs, gpus, estimateS: told, priority: 0 };
}

/** When each job starts, on two nodes of 8 GPUs. */
function starts(trace: readonly TraceJob[]): Readonly<Record<string, number>> {
  const { jobs } = replay({ trace, shape: { nodes: 2, nodeGpus: 8 }, policy: policies.easy, overheadFactor: 1 });
  return Object.fromEntries(jobs.map(({ id, firstStartS }) => [id, firstStartS]));
}

/** Holds one node and half of the other until 100; the head then needs one node whole. */
const before = [job('a', 0, 8, { runs: 100 }), job('b', 0, 4, { runs: 500 }), job('head', 1, 8, { runs: 50 })];

test('a job that ends before the head can start goes first', () => {
  expect(starts([...before, job('short', 2, 4, { runs: 98 })])).toMatchObject({ head: 100, short: 2 });
});

test('a longer one goes first where the head fits beside it', () => {
  expect(starts([...before, job('long', 2, 4, { runs: 1_000 })])).toMatchObject({ head: 100, long: 2 });
});

test('a longer one waits where it would take what the head needs', () => {
  const wide = [job('a', 0, 8, { runs: 100 }), job('b', 0, 4, { runs: 50 }), job('head', 1, 16, { runs: 50 })];
  expect(starts([...wide, job('long', 2, 4, { runs: 99 })])).toMatchObject({ head: 100, long: 150 });
});

test('when what runs was told to have ended, the head is expected in a minute, and a job that is over by then may go', () => {
  const trace = [job('a', 0, 8, { runs: 100, told: 10 }), job('head', 1, 16, { runs: 50 })];
  expect(starts([...trace, job('minute', 20, 8, { runs: 60 })])).toMatchObject({ minute: 20 });
  expect(starts([...trace, job('longer', 20, 8, { runs: 61 })])).toMatchObject({ longer: 150 });
});
