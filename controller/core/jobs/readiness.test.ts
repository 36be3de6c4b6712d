import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import type { DependencySpec, JobSpec } from '#vocabulary/job.ts';

const cluster = (gpus = 4): FakeCluster => new FakeCluster({ racks: 1, nodesPerRack: 1, gpus });
const after = (job: string, condition: DependencySpec['condition'] = 'Succeeded'): Partial<JobSpec> => ({
  after: [{ job: jobName(job), condition }],
});
const bob = userName('bob');
const remove = (name: string) => ({ kind: 'deleteJob' as const, name: jobName(name), user: bob, now: true });
const phase = (one: FakeCluster, name: string): string => one.job(name).phase.kind;
const line = (one: FakeCluster, name: string): string => one.placements().find((text) => text.startsWith(`${name} `)) ?? '';
const crash = (one: FakeCluster, name: string): void => one.agent('n11').crashOne(`uid-${name}/1/0`, 1);

describe('a job after another', () => {
  test('waits for one that does not exist yet', () => {
    const one = cluster();
    one.step([applyJob('b', after('a'))]);
    expect(line(one, 'b')).toBe('b waits: waits for job a to succeed, which does not exist yet');
    one.step([applyJob('a')]);
    expect(line(one, 'b')).toBe('b waits: waits for job a to succeed, which is starting');
  });

  test.each<[DependencySpec['condition'], 'ends well' | 'fails', string]>([
    ['Succeeded', 'ends well', 'active'],
    [
      'Succeeded',
      'fails',
      'b waits: waits for job a to succeed, which it never will: it has failed; change spec.after, or delete this job',
    ],
    ['Failed', 'fails', 'active'],
    [
      'Failed',
      'ends well',
      'b waits: waits for job a to fail, which it never will: it has succeeded; change spec.after, or delete this job',
    ],
    ['Finished', 'ends well', 'active'],
    ['Finished', 'fails', 'active'],
    ['Started', 'ends well', 'active'],
  ])('%s, which %s', (condition, end, want) => {
    const one = cluster();
    one.step([applyJob('a'), applyJob('b', after('a', condition))]);
    one.tick();
    if (end === 'fails') crash(one, 'a');
    one.until('a is over', () => phase(one, 'a') === 'finished');
    expect(phase(one, 'b') === 'active' || phase(one, 'b') === 'finished' ? 'active' : line(one, 'b')).toBe(want);
  });

  test('starts with it when it waits for its start only', () => {
    const one = cluster();
    one.step([applyJob('a'), applyJob('b', after('a', 'Started'))]);
    expect(line(one, 'b')).toBe('b waits: waits for job a to start, which is starting');
    one.tick();
    expect(phase(one, 'b')).toBe('active');
  });

  test('never starts after the start of one that was over before it began', () => {
    const one = cluster(1);
    one.step([applyJob('x', { priority: 90 }), applyJob('a', { deadlineMs: one.nowMs + 2_000 }), applyJob('b', after('a', 'Started'))]);
    one.tick();
    one.tick();
    expect(line(one, 'b')).toMatch(/^b waits: waits for job a to start, which it never will: it has failed/);
  });

  test('that was placed once does not wait for it again', () => {
    const one = cluster();
    one.step([applyJob('a')]);
    one.until('a is over', () => phase(one, 'a') === 'finished');
    one.step([applyJob('b', { ...after('a'), restarts: { max: 1, withinMs: null } })]);
    one.tick();
    one.step([remove('a')]);
    crash(one, 'b');
    one.until('b runs again', () => one.job('b').attempts.length === 2);
  });

  test('that cannot be is let go by another spec', () => {
    const one = cluster();
    one.step([applyJob('a'), applyJob('b', after('a', 'Failed'))]);
    one.until('a is over', () => phase(one, 'a') === 'finished');
    one.step([applyJob('b', after('a', 'Succeeded'))]);
    expect(phase(one, 'b')).toBe('active');
  });

  test('tells of several the one that can never hold', () => {
    const one = cluster();
    one.step([applyJob('a')]);
    one.until('a is over', () => phase(one, 'a') === 'finished');
    one.step([
      applyJob('b', {
        after: [
          { job: jobName('later'), condition: 'Succeeded' },
          { job: jobName('a'), condition: 'Failed' },
        ],
      }),
    ]);
    expect(line(one, 'b')).toMatch(/^b waits: waits for job a to fail, which it never will/);
  });

  test('keeps the finished job that it waits beside another for', () => {
    const few = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 }, { finishedJobsMax: 1 });
    const both = { after: ['a', 'later'].map((job) => ({ job: jobName(job), condition: 'Succeeded' as const })) };
    few.step([applyJob('a'), applyJob('x'), applyJob('y'), applyJob('b', both)]);
    few.until('they are over', () => ['uid-x', 'uid-y'].some((uid) => ![...few.view.jobs.keys()].some((known) => known === uid)));
    few.tick();
    expect([...few.view.jobs.values()].map((job) => job.name)).toEqual(['a', 'y', 'b']);
  });
});

describe('a circle is refused', () => {
  const ask = (one: FakeCluster, ...inputs: Parameters<FakeCluster['step']>[0]): readonly string[] =>
    one.step(inputs).map((reply) => (reply.kind === 'refused' ? `${reply.code} ${reply.field}: ${reply.message}` : reply.kind));

  test('of two, by the one that closes it', () => {
    expect(ask(cluster(), applyJob('a', after('b')), applyJob('b', after('a')))).toEqual([
      'applied',
      'INVALID_ARGUMENT spec.after[0].job: jobs that wait for each other: b after a after b',
    ]);
  });

  test('of many, also by a change, and by the path that closes it', () => {
    const one = cluster();
    one.step([applyJob('a'), applyJob('hold'), applyJob('c', after('b')), applyJob('b', after('a0')), applyJob('a0')]);
    const changed = applyJob('a0', { after: ['x', 'c'].map((job) => ({ job: jobName(job), condition: 'Finished' as const })) });
    one.step([remove('a0')]);
    expect(ask(one, changed)).toEqual(['INVALID_ARGUMENT spec.after[1].job: jobs that wait for each other: a0 after c after b after a0']);
  });

  test('but not when one of them has run already', () => {
    const one = cluster();
    one.step([applyJob('b')]);
    one.until('b is over', () => phase(one, 'b') === 'finished');
    expect(ask(one, applyJob('a', after('b')), applyJob('c', after('a')))).toEqual(['applied', 'applied']);
  });
});

describe('time', () => {
  test('alone lets a job start, in the first step at or after it', () => {
    const one = cluster();
    one.step([applyJob('a', { startAfterMs: one.nowMs + 2_500 })]);
    expect(line(one, 'a')).toBe('a waits: not before 1970-01-01T00:16:42.500Z');
    one.tick();
    one.tick();
    expect(phase(one, 'a')).toBe('pending');
    one.tick();
    expect(phase(one, 'a')).toBe('active');
    expect(one.state.wakeAtMs).toBeNull();
  });

  test('a step wakes for the earliest only, and for none when nobody waits for time', () => {
    const one = cluster();
    one.step([applyJob('a', { startAfterMs: one.nowMs + 9_000 }), applyJob('b', { startAfterMs: one.nowMs + 4_000 })]);
    expect(one.state.wakeAtMs).toBe(one.nowMs + 4_000);
    one.step([remove('b')]);
    one.nowMs += 4_000;
    one.step([]);
    expect(one.state.wakeAtMs).toBe(one.nowMs + 5_000);
  });

  test('ends what is not over by its deadline, waiting, suspended or running', () => {
    const one = cluster(1);
    const deadlineMs = one.nowMs + 3_000;
    one.step([applyJob('runs', { deadlineMs }), applyJob('waits', { deadlineMs }), applyJob('rests', { deadlineMs })]);
    one.step([{ kind: 'suspendJob', name: jobName('rests'), user: bob }]);
    one.until('all are over', () => ['runs', 'waits', 'rests'].every((name) => phase(one, name) === 'finished'), 10);
    for (const name of ['runs', 'waits', 'rests']) {
      expect(one.job(name).phase).toMatchObject({
        outcome: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'not over by its deadline 1970-01-01T00:16:43Z',
      });
    }
    expect(one.job('runs').restarts.applicationAtMs).toEqual([]);
  });
});
