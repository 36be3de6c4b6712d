import { describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, queueName, userName } from '#vocabulary/ids.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import { planJob } from '../plan.ts';

const node = (name: string, gpus: number, rack = 'r1') => ({ name, rack, gpus });

/** One job a GPU, `low0` first, all running. */
function full(nodes: readonly ReturnType<typeof node>[], priorities: readonly number[]): FakeCluster {
  const cluster = new FakeCluster(nodes);
  for (const [index, priority] of priorities.entries()) cluster.step([applyJob(`low${index}`, { priority })]);
  for (let second = 0; second < 3; second += 1) cluster.tick();
  return cluster;
}

const victimsOf = (cluster: FakeCluster, name: string): readonly string[] =>
  (cluster.job(name).nomination?.victims ?? []).map((uid) => cluster.view.jobs.get(uid)?.name ?? uid);

describe('who is asked to leave', () => {
  test('is the least urgent one, and nobody else', () => {
    const cluster = full([node('n1', 3)], [30, 10, 20]);
    cluster.step([applyJob('urgent', { priority: 90 }, 'bob')]);
    expect(victimsOf(cluster, 'urgent')).toEqual(['low1']);
    expect(cluster.placements().at(-1)).toBe('urgent waits: 1 x 1 GPUs will be free when low1 has left');
  });

  test('is nobody when there is room', () => {
    const cluster = full([node('n1', 3)], [10, 10]);
    cluster.step([applyJob('urgent', { priority: 90 }, 'bob')]);
    expect(cluster.placements().at(-1)).toMatch(/^urgent n1:/);
  });

  test('is nobody when all together would not make enough room', () => {
    const cluster = full([node('n1', 2)], [10, 10]);
    cluster.step([applyJob('urgent', { priority: 90, workers: 3 }, 'bob')]);
    expect(victimsOf(cluster, 'urgent')).toEqual([]);
    expect(cluster.log.some((event) => event.kind === 'SuspendStaged')).toBe(false);
  });

  test('are as few as make the room, beside what is free', () => {
    const cluster = full([node('n1', 4)], [10, 10, 10]);
    cluster.step([applyJob('urgent', { priority: 90, workers: 2 }, 'bob')]);
    expect(victimsOf(cluster, 'urgent')).toHaveLength(1);
  });

  test('is never one that may not be, nor one of higher or equal rank', () => {
    const cluster = new FakeCluster([node('n1', 3)]);
    cluster.step([
      applyJob('firm', { priority: 1, preemptible: false }),
      applyJob('equal', { priority: 50 }),
      applyJob('above', { priority: 60 }),
    ]);
    cluster.tick();
    cluster.step([applyJob('urgent', { priority: 50 }, 'bob')]);
    expect(cluster.log.some((event) => event.kind === 'JobNominated')).toBe(false);
  });

  test('is never a job of equal rank of the same user, also when its queue could take its guarantee back', () => {
    for (const user of ['alice', 'bob']) {
      const cluster = new FakeCluster([node('n1', 1)]);
      cluster.step([applyQueue('red', { guaranteed: { H100: 1 } }), applyQueue('blue')]);
      cluster.step([applyJob('borrower', { queue: queueName('blue') }, 'alice')]);
      cluster.tick();
      cluster.step([applyJob('owner', { queue: queueName('red') }, user)]);
      expect(victimsOf(cluster, 'owner'), user).toEqual(user === 'alice' ? [] : ['borrower']);
    }
  });

  test('is not asked for two: a second nominee has victims of its own, or waits', () => {
    const cluster = full([node('n1', 2)], [10, 10]);
    cluster.step([
      applyJob('first', { priority: 90 }, 'bob'),
      applyJob('second', { priority: 80 }, 'bob'),
      applyJob('third', { priority: 70 }, 'bob'),
    ]);
    expect([...victimsOf(cluster, 'first'), ...victimsOf(cluster, 'second')].sort()).toEqual(['low0', 'low1']);
    expect(victimsOf(cluster, 'third')).toEqual([]);
  });
});

describe('while a nominee waits', () => {
  test('stepping again says nothing new', () => {
    const cluster = full([node('n1', 2)], [10, 10]);
    cluster.step([applyJob('urgent', { priority: 90, workers: 2 }, 'bob')]);
    const events = cluster.log.length;
    for (let time = 0; time < 3; time += 1) {
      cluster.state.scheduleDirty = true;
      cluster.step([]);
    }
    expect(cluster.log.length).toBe(events);
  });

  test('what is free of its place is kept for it', () => {
    const cluster = full([node('n1', 2)], [10]);
    cluster.step([applyJob('urgent', { priority: 90, gpusPerWorker: 2 }, 'bob')]);
    cluster.step([applyJob('small', { priority: 5 }, 'carol')]);
    expect(cluster.job('small').phase.kind).toBe('pending');
    cluster.until('it runs', () => cluster.job('urgent').phase.kind === 'active');
    expect(cluster.job('small').attempts).toEqual([]);
  });

  test('and is deleted, suspended or held, its victims run on', () => {
    const user = userName('bob');
    const name = jobName('urgent');
    for (const change of [
      { kind: 'deleteJob', name, user, now: false },
      { kind: 'suspendJob', name, user },
      { kind: 'holdJob', name, user },
    ] as const) {
      const cluster = full([node('n1', 2)], [10, 10]);
      cluster.step([applyJob('urgent', { priority: 90, workers: 2 }, 'bob')]);
      cluster.step([change]);
      const stages = ['low0', 'low1'].map((low) => cluster.job(low).attempts.at(-1)?.stage.kind);
      expect(stages, change.kind).toEqual(['running', 'running']);
    }
  });

  test('a victim that comes back does not take the place again', () => {
    const cluster = full([node('n1', 1)], [10]);
    cluster.step([applyJob('urgent', { priority: 90 }, 'bob')]);
    cluster.until('both are done', () => [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished'));
    expect(cluster.job('low0').restarts).toMatchObject({ applicationAtMs: [], preemption: 1 });
    expect(cluster.job('urgent').attempts).toHaveLength(1);
  });
});

describe('a job with a shortest runtime', () => {
  test('is asked when it is over, though nothing else happens then', () => {
    const cluster = new FakeCluster([node('n1', 1)]);
    cluster.step([applyJob('low', { priority: 10, minRuntimeMs: 60_000 })]);
    cluster.step([applyJob('urgent', { priority: 90 }, 'bob')]);
    cluster.nowMs += 59_999;
    cluster.step([{ kind: 'tick' }]);
    expect(victimsOf(cluster, 'urgent')).toEqual([]);
    cluster.nowMs += 1;
    cluster.step([{ kind: 'tick' }]);
    expect(victimsOf(cluster, 'urgent')).toEqual(['low']);
  });
});

test('a plan names the victims that the step then asks, and changes nothing', () => {
  const cluster = full([node('n1', 2), node('n2', 2)], [10, 20, 30, 40]);
  const request = applyJob('urgent', { priority: 90, gpusPerWorker: 2 }, 'bob');
  const events = cluster.log.length;
  const { decision } = planJob(cluster.state, request, { nowMs: cluster.nowMs, policy });
  expect(cluster.log.length).toBe(events);
  const planned = decision === null || decision.ok ? 'no wait' : describeWait(decision.wait);
  cluster.step([request]);
  expect(cluster.placements().at(-1)).toBe(`urgent waits: ${planned}`);
  expect(planned).toMatch(/^1 x 2 GPUs will be free when low\d, low\d have left$/);
});
