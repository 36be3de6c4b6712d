import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { expectRemaining, noteRunTime } from './runTimes.ts';
import type { Sketch } from './sketch.ts';

const hour = 3_600_000;

function job(
  user: string,
  command: readonly string[],
  changes: Partial<JobSpec> = {},
): { user: ReturnType<typeof userName>; spec: JobSpec } {
  const { spec } = applyJob('x', changes);
  return { user: userName(user), spec: { ...spec, template: { ...spec.template, command } } };
}

function learned(...jobs: readonly (readonly [ReturnType<typeof job>, ...number[]])[]): Map<string, Sketch> {
  const runTimes = new Map<string, Sketch>();
  for (const [one, ...hours] of jobs) for (const each of hours) noteRunTime(runTimes, one, each * hour);
  return runTimes;
}

const hoursOf = (runTimes: Map<string, Sketch>, one: ReturnType<typeof job>, held = 0): number =>
  Math.round((expectRemaining(runTimes, one, held * hour) / hour) * 10) / 10;

const train = job('ann', ['python', 'train.py', '--lr', '0.1']);

describe('what is expected', () => {
  test('is the median of the same program and shape of the same user, whatever it is told', () => {
    const runTimes = learned([train, 2, 2, 2], [job('ann', ['python', 'eval.py']), 9, 9, 9]);
    expect(hoursOf(runTimes, job('ann', ['python', 'train.py', '--lr', '0.5', '--seed', '4']))).toBeCloseTo(2, 0);
    expect(hoursOf(runTimes, job('ann', ['python', 'eval.py', '--quick']))).toBeCloseTo(9, 0);
  });

  test('falls back: another shape, another program, the queue, all; and an hour when nothing is known', () => {
    const runTimes = learned([train, 2, 2, 2]);
    expect(hoursOf(runTimes, job('ann', ['python', 'train.py'], { workers: 4 }))).toBeCloseTo(2, 0);
    expect(hoursOf(runTimes, job('ann', ['sleep']))).toBeCloseTo(2, 0);
    expect(hoursOf(runTimes, job('bob', ['sleep']))).toBeCloseTo(2, 0);
    expect(hoursOf(runTimes, job('bob', ['sleep'], { queue: queueName('other') }))).toBeCloseTo(2, 0);
    expect(hoursOf(learned([train, 2]), train)).toBe(1);
  });

  test('is of those that ran for longer, for one that runs; and as long again when none did', () => {
    const runTimes = learned([train, 1, 1, 1, 1, 10, 10, 10]);
    expect(hoursOf(runTimes, train)).toBeCloseTo(1, 0);
    expect(hoursOf(runTimes, train, 2)).toBeGreaterThan(7);
    expect(hoursOf(runTimes, train, 20)).toBe(20);
  });

  test('is never longer than what the job promised, which says more than what strangers did', () => {
    const runTimes = learned([train, 5, 5, 5]);
    const promises = { maxRuntimeMs: 3 * hour };
    expect(hoursOf(runTimes, job('ann', ['python', 'train.py'], promises), 1)).toBe(2);
    expect(hoursOf(learned([train, 1, 1, 1]), job('ann', ['python', 'train.py'], promises))).toBeCloseTo(1, 0);
    expect(hoursOf(learned([train, 1, 1, 1]), job('bob', ['python', 'train.py'], promises))).toBe(3);
  });
});

test('what is kept is bounded; who learned nothing for longest is forgotten', () => {
  const runTimes = new Map<string, Sketch>();
  for (let user = 0; user < 3_000; user += 1) noteRunTime(runTimes, job(`user-${user}`, ['a', 'b']), 10 * hour);
  expect(runTimes.size).toBe(4_096);
  expect([...runTimes.keys()].some((key) => key.includes('"user-0"'))).toBe(false);
  expect([...runTimes.keys()].some((key) => key.includes('"user-2999"'))).toBe(true);
});

test('a job that is over teaches what it held, over all attempts; a deleted one too, a suspended one not yet', () => {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 4 }]);
  cluster.step([applyJob('a'), applyJob('b'), applyJob('c')]);
  cluster.step([{ kind: 'suspendJob', name: applyJob('c').name, user: userName('bob') }]);
  cluster.step([{ kind: 'deleteJob', name: applyJob('b').name, user: userName('bob'), now: true }]);
  cluster.until('a is over', () => cluster.job('a').phase.kind === 'finished' && cluster.job('c').phase.kind === 'suspended');
  const { attempts } = cluster.job('a');
  const heldS = ((attempts[0]?.endedAtMs ?? 0) - (attempts[0]?.placedAtMs ?? 0)) / 1_000;
  const all = cluster.view.runTimes.get('[]');
  expect(all?.total).toBe(2);
  expect(Math.abs((all?.buckets.at(-1) ?? 0) - heldS)).toBeLessThan(4);
});
