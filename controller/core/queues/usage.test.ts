import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { currentAttempt } from '#core/state/state.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, queueName, userName } from '#vocabulary/ids.ts';
import { queueGpuMilli, withAncestors } from './usage.ts';

/** org → research → nlp, org → serving. */
function tree(limits: { readonly org?: number; readonly research?: number; readonly nlp?: number } = {}): FakeCluster {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 4, gpus: 4 });
  const limit = (gpus: number | undefined) => ({ limit: gpus === undefined ? {} : { H100: gpus } });
  cluster.step([
    applyQueue('org', limit(limits.org)),
    applyQueue('research', { parent: queueName('org'), ...limit(limits.research) }),
    applyQueue('nlp', { parent: queueName('research'), ...limit(limits.nlp) }),
    applyQueue('serving', { parent: queueName('org') }),
  ]);
  return cluster;
}

const used = (cluster: FakeCluster): readonly number[] =>
  ['org', 'research', 'nlp', 'serving'].map((name) => queueGpuMilli(cluster.view, queueName(name), 'H100') / 1000);

test('the queues above a queue are named from it to the root', () => {
  const { queues } = tree().view;
  expect(withAncestors(queues, queueName('nlp'))).toEqual(['nlp', 'research', 'org']);
  expect(withAncestors(queues, queueName('gone'))).toEqual(['gone']);
});

describe('what a queue holds', () => {
  test('is what it and all below it hold', () => {
    const cluster = tree();
    cluster.step([applyJob('a', { queue: queueName('nlp'), workers: 3 }), applyJob('b', { queue: queueName('serving'), workers: 2 })]);
    expect(used(cluster)).toEqual([5, 3, 3, 2]);
    cluster.until('all have ended', () => [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished'));
    expect(used(cluster)).toEqual([0, 0, 0, 0]);
  });

  test('counts no job that has no GPUs, but counts it as running for its user', () => {
    const cluster = tree();
    cluster.step([applyQueue('serving', { parent: queueName('org'), perUser: { limit: {}, maxRunning: 1 } })]);
    cluster.step([
      applyJob('a', { queue: queueName('serving'), gpusPerWorker: 0 }),
      applyJob('b', { queue: queueName('serving'), gpusPerWorker: 0 }),
    ]);
    expect(used(cluster)).toEqual([0, 0, 0, 0]);
    expect(cluster.placements()[1]).toBe('b waits: user alice may run 1 jobs at a time in queue serving');
  });
});

describe('the limit that is told', () => {
  test('is the nearest one that binds: the user’s before the queue’s, the queue’s before its parent’s', () => {
    const cluster = tree({ org: 3, research: 2, nlp: 1 });
    const ask = (name: string, queue: string, workers: number): string => {
      cluster.step([applyJob(name, { queue: queueName(queue), workers })]);
      const [line] = cluster.placements().filter((one) => one.startsWith(`${name} `));
      cluster.step([{ kind: 'deleteJob', name: jobName(name), user: userName('bob'), now: true }]);
      return line ?? '';
    };
    expect(ask('a', 'nlp', 2)).toBe('a waits: queue nlp may hold 1 H100 GPUs, holds 0; 2 more wanted');
    expect(ask('b', 'research', 3)).toBe('b waits: queue research may hold 2 H100 GPUs, holds 0; 3 more wanted');
    expect(ask('c', 'serving', 4)).toBe('c waits: queue org may hold 3 H100 GPUs, holds 0; 4 more wanted');
    cluster.step([applyQueue('serving', { parent: queueName('org'), perUser: { limit: { H100: 1 }, maxRunning: null } })]);
    expect(ask('d', 'serving', 4)).toBe('d waits: user alice may hold 1 H100 GPUs in queue serving, holds 0; 4 more wanted');
  });

  test('counts a share of a GPU as the part that it is', () => {
    const cluster = tree({ nlp: 1 });
    const share = { queue: queueName('nlp'), gpuShareMilli: 400 };
    cluster.step([applyJob('a', share), applyJob('b', share), applyJob('c', share)]);
    expect(cluster.placements().filter((line) => line.includes('waits'))).toEqual([
      'c waits: queue nlp may hold 1 H100 GPUs, holds 0.8; 0.4 more wanted',
    ]);
    expect(queueGpuMilli(cluster.view, queueName('nlp'), 'H100')).toBe(800);
  });

  test('of one model does not bind another', () => {
    const cluster = tree({ org: 0 });
    cluster.join({ name: 'a1', rack: 'r9', gpus: 1, model: 'A100' });
    cluster.step([applyJob('a', { queue: queueName('nlp'), gpuModels: ['H100', 'A100'] })]);
    expect(cluster.placements()).toEqual(['a a1:0']);
  });

  test('of one user does not bind another', () => {
    const cluster = tree();
    cluster.step([applyQueue('serving', { parent: queueName('org'), perUser: { limit: { H100: 1 }, maxRunning: null } })]);
    cluster.step([
      applyJob('a', { queue: queueName('serving') }, 'carol'),
      applyJob('b', { queue: queueName('serving') }, 'carol'),
      applyJob('c', { queue: queueName('serving') }, 'dave'),
    ]);
    expect(cluster.placements().map((line) => line.split(' ')[1])).toEqual(['n11:0', 'waits:', 'n11:1']);
  });
});

test('a held queue starts nothing, nor does one below it; what runs goes on, and all starts when it is released', () => {
  const cluster = tree();
  cluster.step([applyJob('a', { queue: queueName('nlp') })]);
  cluster.step([applyQueue('org', { hold: true }), applyJob('b', { queue: queueName('nlp') }), applyJob('c')]);
  expect(cluster.placements()).toEqual([
    'a n11:0',
    'b waits: queue org is held (hold: true): nothing of it starts until it is released',
    'c n11:1',
  ]);
  cluster.step([applyQueue('org')]);
  expect(cluster.placements()).toEqual(['a n11:0', 'b n11:2', 'c n11:1']);
});

test('no limit is ever broken, and a queue’s count is always the sum of its jobs’', () => {
  const anyJob = fc.record({
    queue: fc.constantFrom('org', 'research', 'nlp', 'serving'),
    workers: fc.integer({ min: 1, max: 5 }),
    user: fc.constantFrom('carol', 'dave'),
  });
  const limit = fc.option(fc.nat(8), { nil: undefined });
  fc.assert(
    fc.property(fc.record({ org: limit, research: limit, nlp: limit }), fc.array(anyJob, { maxLength: 10 }), (limits, jobs) => {
      const cluster = tree(Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)));
      for (const [index, { queue, workers, user }] of jobs.entries()) {
        cluster.step([applyJob(`j${index}`, { queue: queueName(queue), workers }, user)]);
        if (index % 3 === 2) cluster.step([{ kind: 'deleteJob', name: jobName(`j${index - 1}`), user: userName('bob'), now: true }]);
        cluster.tick();
        for (const name of ['org', 'research', 'nlp', 'serving']) {
          const held = [...cluster.view.jobs.values()].filter(
            (job) => currentAttempt(job) !== undefined && withAncestors(cluster.view.queues, job.spec.queue).includes(queueName(name)),
          );
          const sum = held.reduce((total, job) => total + job.spec.workers * job.spec.gpusPerWorker, 0);
          expect(queueGpuMilli(cluster.view, queueName(name), 'H100') / 1000).toBe(sum);
          expect(sum).toBeLessThanOrEqual(cluster.view.queues.get(queueName(name))?.spec.limit['H100'] ?? Number.MAX_SAFE_INTEGER);
        }
      }
    }),
    { numRuns: cases(60) },
  );
});
