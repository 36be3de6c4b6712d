import { expect, test } from 'vitest';
import { replay } from '../replay.ts';
import type { TraceJob } from '../replayJob.ts';
import { policies } from './policies.ts';

function job(id: string, submitS: number, gpus: number, priority: number): TraceJob {
  return { id, submitS, durationS: 100, estimateS: 100, gpus, priority };
}

/** Each job as `id start-end +overhead`, on two nodes of 8 GPUs. */
function story(trace: readonly TraceJob[]): readonly string[] {
  const { jobs } = replay({ trace, shape: { nodes: 2, nodeGpus: 8 }, policy: policies['prio-evict'], overheadFactor: 1 });
  return jobs.map(({ id, firstStartS, endS, overheadS }) => `${id} ${firstStartS}-${endS}${overheadS > 0 ? ` +${overheadS}` : ''}`);
}

test('a job of priority 3 stops the lowest priority first, and of that who started last', () => {
  const trace = [job('high', 0, 4, 2), job('old', 0, 4, 0), job('low', 1, 4, 0), job('late', 2, 4, 0), job('urgent', 10, 4, 3)];
  expect(story(trace)).toEqual(['high 0-100', 'old 0-100', 'low 1-101', 'late 2-222 +30', 'urgent 10-110']);
});

test('who was stopped for nothing goes on', () => {
  // `late` is the first to be lifted, but its two GPUs beside `a` help nobody; those of `low` do.
  const trace = [job('a', 0, 6, 3), job('low', 1, 4, 0), job('d', 1, 4, 3), job('late', 2, 2, 0), job('urgent', 10, 4, 3)];
  expect(story(trace)).toEqual(['a 0-100', 'low 1-221 +30', 'd 1-101', 'late 2-102', 'urgent 10-110']);
});

test('nobody is stopped below priority 3, nor when it would not help', () => {
  expect(story([job('a', 0, 16, 0), job('b', 10, 16, 2)])).toEqual(['a 0-100', 'b 100-200']);
  expect(story([job('a', 0, 8, 3), job('b', 0, 8, 0), job('c', 10, 16, 3)])).toEqual(['a 0-100', 'b 0-100', 'c 100-200']);
});
