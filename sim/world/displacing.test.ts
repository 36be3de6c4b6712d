import { expect, test } from 'vitest';
import { attemptsOf, job, playText, scenarioText } from '../testing/playText.ts';

const whole = 'workers: 1, gpusPerWorker: 4';
const run = 'work: 30m, step: 1s, checkpointEvery: 1m';

test('two who come at once do not both take what a queue can spare once', () => {
  const report = playText(
    scenarioText({
      timeline: [
        job('low-1', { spec: `queue: low, priority: 10, ${whole}`, run }),
        job('low-2', { spec: `queue: low, priority: 10, ${whole}`, run }),
        job('high-1', { at: '5m', spec: `queue: high, priority: 20, ${whole}`, run, more: 'user: ann' }),
        job('high-2', { at: '5m', spec: `queue: high, priority: 20, ${whole}`, run, more: 'user: bob' }),
      ],
      rest: 'policy: {timeSlicing: false}\nqueues: [{name: high}, {name: low, guaranteed: {H100: 4}}]',
    }),
  );
  // One node is the low queue's all the time: only one of its jobs is stopped, once, and only one of the others comes for it.
  expect(['low-1', 'low-2'].map((name) => attemptsOf(report, name).length).sort()).toEqual([1, 2]);
  expect(['high-1', 'high-2'].map((name) => attemptsOf(report, name).length)).toEqual([1, 1]);
  expect(report.workloads['job/high-2']?.attempts[0]?.startedAt).toBeGreaterThan(30 * 60_000);
});
