import { describe, expect, test } from 'vitest';
import type { Reply } from '#core/inputs.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { queueName } from '#vocabulary/ids.ts';

const print = (reply: Reply | undefined): string => {
  if (reply?.kind === 'refused') return `${reply.code} ${reply.field}: ${reply.message}`;
  return reply?.kind === 'applied' ? reply.outcome : (reply?.kind ?? '');
};
const under = (parent: string) => ({ parent: queueName(parent) });
const remove = (name: string) => ({ kind: 'deleteQueue' as const, name: queueName(name) });

function cluster(): FakeCluster {
  const one = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
  one.step([applyQueue('org'), applyQueue('research', under('org'))]);
  return one;
}

describe('applying a queue', () => {
  test('creates it, changes it, and says when nothing is new', () => {
    expect(
      cluster()
        .step([
          applyQueue('nlp', under('research')),
          applyQueue('nlp', { ...under('research'), limit: { H100: 2 } }),
          applyQueue('nlp', { ...under('research'), limit: { H100: 2 } }),
        ])
        .map(print),
    ).toEqual(['created', 'configured', 'unchanged']);
  });

  test('is refused under a parent that is not there; one that is near is named', () => {
    expect(
      cluster()
        .step([applyQueue('a', under('reserch')), applyQueue('b', under('elsewhere'))])
        .map(print),
    ).toEqual([
      'INVALID_ARGUMENT spec.parent: queue "reserch" does not exist; did you mean "research"?',
      'INVALID_ARGUMENT spec.parent: queue "elsewhere" does not exist; apply the parent first',
    ]);
  });

  test('is refused in a circle, and where it would move', () => {
    expect(
      cluster()
        .step([applyQueue('org', under('research')), applyQueue('research'), applyQueue('default', under('org'))])
        .map(print),
    ).toEqual([
      'INVALID_ARGUMENT spec.parent: "research" is "org" itself or below it',
      'FAILED_PRECONDITION spec.parent: queue research stands under org; a queue cannot be moved, delete it and apply it again',
      'FAILED_PRECONDITION spec.parent: queue default stands under no parent; a queue cannot be moved, delete it and apply it again',
    ]);
  });

  test('keeps the time of its creation when it is changed', () => {
    const one = cluster();
    const created = one.view.queues.get(queueName('org'))?.createdAtMs;
    one.nowMs += 60_000;
    one.step([applyQueue('org', { limit: { H100: 1 } })]);
    expect(one.view.queues.get(queueName('org'))?.createdAtMs).toBe(created);
  });
});

describe('deleting a queue', () => {
  test('is refused while a queue stands below it or a job of it has not finished', () => {
    const one = cluster();
    one.step([applyJob('a', { queue: queueName('research') })]);
    expect(one.step([remove('org'), remove('research'), remove('reseach')]).map(print)).toEqual([
      'FAILED_PRECONDITION : queue org has a queue below it: research',
      'FAILED_PRECONDITION : queue research has a job that has not finished: a',
      'NOT_FOUND : queues "reseach" not found; did you mean "research"?',
    ]);
    one.until('a has ended', () => one.job('a').phase.kind === 'finished');
    expect(one.step([remove('research'), remove('org')]).map(print)).toEqual(['changed', 'changed']);
    expect([...one.view.queues.keys()]).toEqual(['default']);
  });
});
