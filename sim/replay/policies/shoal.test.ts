import { expect, test } from 'vitest';
import { replay, type ReplayResult } from '../replay.ts';
import type { TraceJob } from '../replayJob.ts';
import { policies, type PolicyName } from './policies.ts';

function job(id: string, submitS: number, durationS: number, gpus: number, priority = 0): TraceJob {
  return { id, submitS, durationS, gpus, estimateS: durationS, priority };
}

/** Each job as `id start-end, preempted for n s`, on two nodes of 8 GPUs. */
function story(trace: readonly TraceJob[], policy: PolicyName = 'shoal'): readonly string[] {
  const { jobs }: ReplayResult = replay({ trace, shape: { nodes: 2, nodeGpus: 8 }, policy: policies[policy], overheadFactor: 1 });
  return jobs.map(({ id, firstStartS, endS, overheadS }) => `${id} ${firstStartS}-${endS}${overheadS > 0 ? ` +${overheadS}` : ''}`);
}

test('a new job stops one that has had more, once it has waited as long as a stop costs it', () => {
  // The old one passes one GPU-hour after 225 s.
  expect(story([job('old', 0, 1_000, 16), job('new', 500, 100, 16)])).toEqual(['old 0-1160 +60', 'new 560-660']);
});

test('a job that has had as little is not stopped', () => {
  expect(story([job('old', 0, 200, 16), job('new', 100, 100, 16)])).toEqual(['old 0-200', 'new 200-300']);
});

test('small jobs that split two nodes are moved together for one that fills a node', () => {
  // After the two long blocks end, s1 and s2 hold 4 GPUs each on different nodes.
  const trace = [job('b1', 0, 10, 4), job('s1', 0, 900, 4), job('b2', 0, 10, 4), job('s2', 0, 900, 4), job('big', 20, 100, 8)];
  expect(story(trace)).toEqual(['b1 0-10', 's1 0-930 +30', 'b2 0-10', 's2 0-900', 'big 50-150']);
  expect(story(trace, 'las5')).toContain('big 900-1000');
});

test('a job that has waited for a week goes first of all and is safe for an hour', () => {
  const dayS = 86_400;
  // From the moment that `old` has had five hours, a new job that needs the whole cluster comes every 1,000 s.
  const newcomers = Array.from({ length: 700 }, (_, at) => job(`new${at}`, 20_000 + at * 1_000, 1_000, 16));
  const result = story([job('old', 0, 23_000, 16), ...newcomers]);
  const stoppedS = 20_060;
  const leftS = 23_000 - stoppedS + 60;
  expect(result[0]).toBe(`old 0-${stoppedS + 7 * dayS + leftS} +60`);
});

test('with classes a job of priority 3 stops lower ones at once, whatever they have had, and a lower priority counts as a level', () => {
  const urgent = [job('low', 0, 100, 16, 2), job('urgent', 10, 50, 16, 3)];
  expect(story(urgent, 'shoal-classes')).toEqual(['low 0-210 +60', 'urgent 10-60']);
  expect(story(urgent)).toEqual(['low 0-100', 'urgent 100-150']);
  const steps = [job('zero', 0, 200, 16, 0), job('one', 10, 50, 16, 1)];
  expect(story(steps, 'shoal-classes')).toEqual(['zero 0-310 +60', 'one 70-120']);
});
