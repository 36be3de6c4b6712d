import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { failureOf } from '#controller/testing/failureOf.ts';
import { runApi } from '#controller/testing/runApi.ts';
import type { ApplyResult, PlanResult } from '#gen/shoal/v1/control_pb.js';
import { ApplyRequestSchema, ApplyResponseSchema, PlanRequestSchema, PlanResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name: 'n1', rack: 'r1', gpus: 2 }).hello() });
});
afterEach(() => api.stop());

const job = (name: string, spec: object = {}) =>
  JSON.stringify({
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: { template: { command: ['true'] }, ...spec },
  });
const queue = (name: string, spec: object = {}) => JSON.stringify({ apiVersion: 'shoal.dev/v1', kind: 'Queue', metadata: { name }, spec });

async function apply(...documents: readonly string[]): Promise<readonly ApplyResult[]> {
  const request = create(ApplyRequestSchema, { documents: documents.map((json) => ({ json })) });
  return create(ApplyResponseSchema, await api.control.apply(request, api.alice)).results;
}

async function plan(...documents: readonly string[]): Promise<readonly PlanResult[]> {
  const request = create(PlanRequestSchema, { documents: documents.map((json) => ({ json })) });
  return create(PlanResponseSchema, await api.control.plan(request, api.alice)).results;
}

const print = (result: ApplyResult | undefined): string =>
  [
    `${result?.object?.kind}/${result?.object?.name} ${result?.outcome}`,
    result?.code,
    ...(result?.problems ?? []).map(({ field, message }) => `${field}: ${message}`),
  ]
    .filter((part) => part !== '')
    .join(' | ');

describe('apply', () => {
  test('takes each document for itself: a refused one does not stop the others', async () => {
    const results = await apply(job('a'), job('b', { workers: 0 }), 'no json', job('c', { queue: 'defualt' }), queue('research'));
    expect(results.map(print)).toEqual([
      'TrainingJob/a created',
      expect.stringMatching(/^TrainingJob\/b refused \| INVALID_ARGUMENT \| spec\.workers: /),
      expect.stringMatching(/^\/ refused \| INVALID_ARGUMENT \| : not valid JSON: /),
      'TrainingJob/c refused | INVALID_ARGUMENT | spec.queue: queue "defualt" does not exist; did you mean "default"? (queues: default)',
      'Queue/research created',
    ]);
    expect(await api.loop.read((state) => [...state.jobsByName.keys()])).toEqual(['a']);
  });

  test('of an array is as many jobs; of too many in one call, none', async () => {
    expect((await apply(job('a', { array: { count: 3 } }))).map(print)).toEqual(['TrainingJob/a created']);
    const names = (): Promise<readonly string[]> => api.loop.read((state) => [...state.jobsByName.keys()]);
    expect(await names()).toEqual(['a-0', 'a-1', 'a-2']);
    const many = ['x', 'y', 'z'].map((name) => job(name, { array: { count: 10_000 } }));
    expect(await apply(...many).catch(failureOf)).toBe(
      'INVALID_ARGUMENT: documents: 30000 jobs are asked for, arrays counted; at most 20000 a call',
    );
    expect((await names()).length).toBe(3);
  });

  test('of the same again is unchanged, and keeps the job’s uid', async () => {
    const [first] = await apply(job('a'));
    const [again] = await apply(job('a'));
    expect([first?.outcome, again?.outcome]).toEqual(['created', 'unchanged']);
    expect(again?.uid).toBe(first?.uid);
    expect(first?.uid).not.toBe('');
  });

  test('of what may change is configured; of what may not is refused by the field’s name', async () => {
    await apply(job('a', { priority: 5 }));
    expect((await apply(job('a', { priority: 6 }))).map(print)).toEqual(['TrainingJob/a configured']);
    expect((await apply(job('a', { priority: 6, workers: 2 }))).map(print)).toEqual([
      'TrainingJob/a refused | ALREADY_EXISTS | spec.workers: job a has been placed and its workers cannot change any more (priority, preemptible, restarts, spares, after, avoidNodes, notBefore, deadline, minRuntime and maxRuntime can); delete it first or take another name',
    ]);
  });

  test('warns of fields that have no effect yet', async () => {
    const [result] = await apply(job('a', { template: { command: ['train'], resources: { sharedMemory: '1Gi' } } }));
    expect(result?.outcome).toBe('created');
    expect(result?.warnings).toEqual(['spec.template.resources.sharedMemory has no effect in this version']);
  });

  test('sees what an earlier document of the same call made', async () => {
    expect((await apply(queue('research'), job('a', { queue: 'research' }))).map(print)).toEqual([
      'Queue/research created',
      'TrainingJob/a created',
    ]);
  });

  test('is refused whole when it is too large', async () => {
    await expect(apply(...Array.from({ length: 5_001 }, () => '{}'))).rejects.toThrow('documents: 5001 are given; at most 5000 a call');
    await expect(apply(job('a', { template: { command: ['é'.repeat(5 * 2 ** 20)] } }))).rejects.toThrow(
      /^documents: \d+ bytes are given; at most 8388608 a call$/,
    );
  });

  test('is refused whole, with the reason, when the store cannot be written', async () => {
    api.disk.failNext('full');
    await expect(apply(job('a'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the store cannot be written: the memory store was told to be full',
    });
  });
});

describe('plan', () => {
  test('says where each job would go, or why it would wait, and changes nothing', async () => {
    const before = api.loop.revision;
    const [fits, waits, refused] = await plan(job('a', { workers: 2 }), job('b', { workers: 3 }), job('c', { queue: 'nowhere' }));
    expect(fits?.placement.map(({ worker, node, gpus }) => `${worker} ${node} ${gpus.join()}`)).toEqual(['0 n1 0', '1 n1 1']);
    expect([waits?.waitReason, waits?.waitMessage]).toEqual([
      'InsufficientGpus',
      '3 x 1 GPUs wanted on H100; 0 of 3 workers fit now (0 GPUs free)',
    ]);
    expect(print(refused?.apply)).toMatch(/^TrainingJob\/c refused \| INVALID_ARGUMENT \| spec\.queue/);
    expect(api.loop.revision).toBe(before);
  });

  test('agrees with what apply does then, for every document', async () => {
    const documents = [
      job('a', { workers: 2 }),
      job('b', { constraints: 1 }),
      queue('research', { limit: { H100: 1 } }),
      queue('child', { parent: 'nowhere' }),
      queue('default', {}),
      job('c', { queue: 'nowhere' }),
    ];
    for (const document of documents) {
      const [planned] = await plan(document);
      const [applied] = await apply(document);
      expect(print(planned?.apply)).toBe(print(applied));
    }
  });

  test('of a job that exists says what would change, and places nothing', async () => {
    await apply(job('a'));
    const [same, other] = await plan(job('a'), job('a', { priority: 3 }));
    expect([same?.apply?.outcome, other?.apply?.outcome]).toEqual(['unchanged', 'configured']);
    expect([same?.placement, other?.placement]).toEqual([[], []]);
  });
});
