import { describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, queueName, userName } from '#vocabulary/ids.ts';
import type { Policy } from '../context.ts';

const hourMs = 3_600_000;
const endless = { total: 1_000_000, saveEvery: 10 };
const never = { total: 1_000_000, saveEvery: 1_000_000 };

const asked = (cluster: FakeCluster): readonly string[] =>
  cluster.log.flatMap((event) =>
    event.kind === 'SuspendStaged' && event.stage.kind === 'ask' && event.reason === 'Preempted'
      ? [cluster.view.jobs.get(event.uid)?.name ?? event.uid]
      : [],
  );
const seconds = (cluster: FakeCluster, count: number, program = endless): void => {
  for (let second = 0; second < count; second += 1) cluster.tick(program);
};

/** Alice's jobs of one GPU have filled the cluster for two hours. */
function flooded(changes: Parameters<typeof applyJob>[1] = {}, policy: Partial<Policy> = {}, names = ['long1', 'long2']): FakeCluster {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: names.length }], policy);
  cluster.step(names.map((name) => applyJob(name, changes)));
  seconds(cluster, 5);
  cluster.sleep(2 * hourMs);
  return cluster;
}

describe('who has had little', () => {
  test('has the place of who has had much, when it has been patient, and the other goes on where it saved', () => {
    const cluster = flooded();
    cluster.step([applyJob('short', {}, 'bob')]);
    seconds(cluster, 59);
    expect(asked(cluster)).toEqual([]);
    seconds(cluster, 20);
    expect(cluster.job('short').phase.kind).toBe('active');
    expect(asked(cluster)).toHaveLength(1);
    const victim = cluster.job(asked(cluster)[0] ?? '');
    expect(victim.attempts[0]?.end?.message).toMatch(
      /^left when asked, at step \d+: had its turn: 2\.0 GPU-hours; job short of user bob had less$/,
    );
    expect(victim.restarts).toMatchObject({ applicationAtMs: [], preemption: 1 });
    seconds(cluster, 320, { total: 200, saveEvery: 10 });
    expect(['long1', 'long2', 'short'].map((name) => cluster.job(name).phase.kind)).toEqual(['finished', 'finished', 'finished']);
    expect(asked(cluster)).toHaveLength(1);
    expect(victim.attempts[1]?.resume?.step).toBeGreaterThan(60);
  });

  test.each([
    ['without time slicing', {}, { timeSlicing: false }, 'bob', {}],
    ['when those had said how long they run', { maxRuntimeMs: 20 * hourMs }, {}, 'bob', {}],
    ['when those may not be asked', { preemptible: false }, {}, 'bob', {}],
    ['when those want to run for longer first', { minRuntimeMs: 3 * hourMs }, {}, 'bob', {}],
    ['when it is of the same user', {}, {}, 'alice', {}],
    ['when its priority is lower', {}, {}, 'bob', { priority: 10 }],
  ] as const)('waits %s', (_when, changes, policy, user, wish) => {
    const cluster = flooded(changes, policy);
    cluster.step([applyJob('short', wish, user)]);
    seconds(cluster, 150);
    expect(asked(cluster)).toEqual([]);
  });

  test('waits when the others are in another queue', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyQueue('red')]);
    cluster.step([applyJob('long', { queue: queueName('red') })]);
    cluster.sleep(2 * hourMs);
    cluster.step([applyJob('short', {}, 'bob')]);
    seconds(cluster, 150);
    expect(asked(cluster)).toEqual([]);
  });

  test('does not stop one that would lose more than the wait is worth', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('unsaved')]);
    cluster.sleep(2 * hourMs);
    cluster.step([applyJob('short', {}, 'bob')]);
    seconds(cluster, 150, never);
    expect(asked(cluster)).toEqual([]);
  });

  test('stops whoever has had most, whatever that costs', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
    cluster.step([applyJob('most')]);
    cluster.sleep(20 * hourMs);
    cluster.step([applyJob('much')]);
    cluster.sleep(2 * hourMs);
    cluster.step([applyJob('short', {}, 'bob')]);
    seconds(cluster, 90);
    expect(asked(cluster)).toEqual(['most']);
  });
});

describe('a pass is run though nothing else happens', () => {
  test('when a job that runs passes the level of one that waits and has been patient', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('long'), applyJob('short', {}, 'bob')]);
    const placedAtMs = cluster.nowMs;
    seconds(cluster, 80);
    expect(cluster.state.wakeAtMs).toBe(placedAtMs + hourMs);
    cluster.sleep(hourMs - 80_000 - 1);
    expect(asked(cluster)).toEqual([]);
    cluster.sleep(1);
    expect(asked(cluster)).toEqual(['long']);
  });

  test('when a job saves for which somebody is patient', () => {
    const cluster = flooded({}, {}, ['long']);
    cluster.step([applyJob('short', {}, 'bob')]);
    const awaited = [...cluster.state.jobs.values()].filter((job) => cluster.state.awaitsSave.dueAtMs(job, cluster.nowMs) !== null);
    expect(awaited.map(({ name }) => name)).toEqual(['long']);
    seconds(cluster, 75);
    expect(asked(cluster)).toEqual(['long']);
  });

  test('and for nothing when all jobs are of one user', () => {
    const cluster = flooded({}, {}, ['long']);
    cluster.step([applyJob('short')]);
    seconds(cluster, 90);
    for (const job of cluster.state.jobs.values()) expect(cluster.state.awaitsSave.dueAtMs(job, cluster.nowMs)).toBeNull();
    const sevenDaysMs = 7 * 24 * hourMs;
    expect(cluster.state.wakeAtMs).toBeGreaterThan(cluster.nowMs + sevenDaysMs - 100_000);
  });
});

test('stepping again says nothing new, at any moment of it', () => {
  const cluster = flooded({}, {}, ['long1', 'long2', 'long3']);
  cluster.step([applyJob('short1', {}, 'bob'), applyJob('short2', { workers: 2 }, 'carol')]);
  for (let second = 0; second < 120; second += 1) {
    cluster.tick(endless);
    cluster.state.scheduleDirty = true;
    cluster.step([]);
    const events = cluster.log.length;
    cluster.state.scheduleDirty = true;
    cluster.step([]);
    expect(cluster.log.slice(events)).toEqual([]);
  }
  expect(asked(cluster)).toHaveLength(3);
});

describe('the order of those who wait', () => {
  /** Jobs start one after the other as `holder` and then each of them leaves. */
  function started(cluster: FakeCluster, names: readonly string[]): readonly string[] {
    const seen: string[] = [];
    cluster.until(
      'all have run',
      () => {
        for (const name of names) if (cluster.job(name).phase.kind === 'active' && !seen.includes(name)) seen.push(name);
        return seen.length === names.length;
      },
      400,
    );
    return seen;
  }

  /** `old` has had two hours and waits again; `holder` has the GPU. */
  function waiting(policy: Partial<Policy> = {}): FakeCluster {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }], policy);
    cluster.step([applyJob('old')]);
    cluster.sleep(2 * hourMs);
    cluster.step([{ kind: 'suspendJob', name: jobName('old'), user: userName('alice') }]);
    cluster.until('it has left', () => cluster.job('old').phase.kind === 'suspended');
    cluster.step([applyJob('holder', { preemptible: false }, 'dave')]);
    cluster.step([{ kind: 'resumeJob', name: jobName('old'), user: userName('alice') }]);
    cluster.step([applyJob('young', {}, 'bob')]);
    return cluster;
  }

  test('is by level before age', () => {
    expect(started(waiting(), ['old', 'young'])).toEqual(['young', 'old']);
    expect(started(waiting({ timeSlicing: false }), ['old', 'young'])).toEqual(['old', 'young']);
  });

  test('is by priority before level', () => {
    const cluster = waiting();
    cluster.step([applyJob('old', { priority: 30 })]);
    expect(started(cluster, ['old', 'young'])).toEqual(['old', 'young']);
  });

  test('begins with what a fault of the machine stopped, whatever it has had', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('broken')]);
    seconds(cluster, 3);
    cluster.sleep(2 * hourMs);
    cluster.step([applyJob('waits', {}, 'bob')]);
    cluster.step([{ kind: 'nodeSilent', node: cluster.agent('n1').name, silentMs: 9_000 }]);
    expect(cluster.job('broken').phase.kind).toBe('pending');
    expect(started(cluster, ['broken', 'waits'])).toEqual(['broken', 'waits']);
  });

  test('begins with who is overdue, before a higher priority', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }]);
    cluster.step([applyJob('holder', { preemptible: false }, 'dave')]);
    cluster.step([applyJob('lowest', { priority: 1 })]);
    cluster.sleep(8 * 24 * hourMs);
    cluster.step([applyJob('high', { priority: 90 }, 'bob')]);
    expect(started(cluster, ['lowest', 'high'])).toEqual(['lowest', 'high']);
    // In its hour it was safe from the higher priority too.
    expect(asked(cluster)).toEqual([]);
  });
});
