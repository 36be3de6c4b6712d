import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import {
  CordonRequestSchema,
  DeleteRequestSchema,
  DrainRequestSchema,
  GetRequestSchema,
  GetResponseSchema,
  InfoRequestSchema,
  LedgerRequestSchema,
  LedgerResponseSchema,
  ListRequestSchema,
  ListResponseSchema,
  HoldRequestSchema,
  NextRequestSchema,
  PrioritizeRequestSchema,
  ReleaseRequestSchema,
  ResumeRequestSchema,
  SuspendRequestSchema,
  UncordonRequestSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { Resource } from '#gen/shoal/v1/control_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  for (const name of ['n1', 'n2']) await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name, rack: 'r1', gpus: 2 }).hello() });
});
afterEach(() => api.stop());

const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'no failure', failureOf);

async function get(kind: string, name: string): Promise<Resource | undefined> {
  return create(GetResponseSchema, await api.control.get(create(GetRequestSchema, { object: { kind, name } }), api.alice)).resource;
}

async function list(request: Parameters<typeof create<typeof ListRequestSchema>>[1]) {
  return create(ListResponseSchema, await api.control.list(create(ListRequestSchema, request), api.alice));
}

const namesOf = (resources: readonly Resource[]): readonly string[] => resources.map(({ object }) => object.value?.metadata?.name ?? '');

describe('get', () => {
  test('tells of a job that runs: phase, placement and ranks', async () => {
    await api.loop.offer(applyJob('a', { workers: 2, gpusPerWorker: 1, mesh: [{ axis: 'data', size: 2 }] }));
    const resource = await get('TrainingJob', 'a');
    const status = resource?.object.case === 'trainingJob' ? resource.object.value.status : undefined;
    expect([status?.phase, status?.reason, status?.user]).toEqual(['Starting', '', 'alice']);
    expect(status?.ranks.map(({ rank, worker, node, gpus, state, mesh }) => ({ rank, worker, node, gpus, state, mesh }))).toEqual([
      { rank: 0, worker: 0, node: 'n1', gpus: [0], state: 'Assigned', mesh: { data: 0 } },
      { rank: 1, worker: 1, node: 'n1', gpus: [1], state: 'Assigned', mesh: { data: 1 } },
    ]);
    expect(status?.attempts.map(({ number, stage }) => `${number} ${stage}`)).toEqual(['1 Starting']);
  });

  test('tells the size of an elastic job, its mesh at that size, and what it is about to become', async () => {
    const elastic = { minWorkers: 2, maxWorkers: 8 };
    const mesh = [
      { axis: 'data', size: 4 },
      { axis: 'tensor', size: 2 },
    ] as const;
    await api.loop.offer(applyJob('a', { workers: 8, mesh, elastic }));
    const statusOf = async () => {
      const resource = await get('TrainingJob', 'a');
      return resource?.object.case === 'trainingJob' ? resource.object.value : undefined;
    };
    const job = await statusOf();
    expect(job?.spec?.elastic).toMatchObject(elastic);
    expect(job?.status?.workers).toBe(4);
    expect(job?.status?.ranks.map(({ mesh: at }) => `${at['data']} ${at['tensor']}`)).toEqual(['0 0', '0 1', '1 0', '1 1']);
    expect(job?.status?.resize).toBeUndefined();
  });

  test('numbers a rank a GPU where a worker has one process a GPU', async () => {
    await api.loop.offer(
      applyJob('a', {
        workers: 2,
        gpusPerWorker: 2,
        processesPerWorker: 'gpu',
        mesh: [
          { axis: 'data', size: 2 },
          { axis: 'tensor', size: 2 },
        ],
      }),
    );
    const resource = await get('TrainingJob', 'a');
    const ranks = resource?.object.case === 'trainingJob' ? (resource.object.value.status?.ranks ?? []) : [];
    expect(
      ranks.map(({ rank, node, gpus, mesh }) => `${rank} ${node}/${gpus.join()} data=${mesh['data']} tensor=${mesh['tensor']}`),
    ).toEqual(['0 n1/0 data=0 tensor=0', '1 n1/1 data=0 tensor=1', '2 n2/0 data=1 tensor=0', '3 n2/1 data=1 tensor=1']);
    const gpu = await get('Gpu', 'n2/1');
    expect(gpu?.object.case === 'gpu' && [gpu.object.value.job, gpu.object.value.ranks]).toEqual(['a', [3]]);
  });

  test('tells why a job waits, in one sentence', async () => {
    await api.loop.offer(applyJob('a', { workers: 9 }));
    const resource = await get('TrainingJob', 'a');
    const status = resource?.object.case === 'trainingJob' ? resource.object.value.status : undefined;
    expect([status?.phase, status?.reason, status?.message]).toEqual([
      'Pending',
      'InsufficientGpus',
      '9 x 1 GPUs wanted on H100; 4 of 9 workers fit now (4 GPUs free)',
    ]);
  });

  test('tells of a node what runs there and whether it is connected', async () => {
    await api.loop.offer(applyJob('a'));
    const resource = await get('Node', 'n1');
    const status = resource?.object.case === 'node' ? resource.object.value.status : undefined;
    expect([status?.state, status?.jobs, status?.gpusUsed, status?.gpusHealthy, status?.connected, status?.lastSeenAt]).toEqual([
      'Ready',
      ['a'],
      1,
      2,
      false,
      undefined,
    ]);
  });

  test('tells what a queue holds, with all below it', async () => {
    await api.loop.offer(applyQueue('child', { weight: 2, parent: (await api.loop.read((state) => [...state.queues.keys()]))[0] ?? null }));
    const [, child] = await api.loop.read((state) => [...state.queues.keys()]);
    if (child === undefined) throw new Error('no child');
    await api.loop.offer(applyJob('a', { queue: child, workers: 2 }));
    await api.loop.offer(applyJob('b', { queue: child, workers: 9 }));
    for (const name of ['default', 'child']) {
      const resource = await get('Queue', name);
      const status = resource?.object.case === 'queue' ? resource.object.value.status : undefined;
      expect([status?.running, status?.pending, status?.used, status?.usedMilli]).toEqual([1, 1, { H100: 2 }, { H100: 2000 }]);
      expect(status?.share).toBe(name === 'child' ? 0.25 : 0.5);
    }
  });

  test.each([
    ['TrainingJob', 'x', 'NOT_FOUND: jobs "x" not found'],
    ['Node', 'x', 'NOT_FOUND: nodes "x" not found'],
    ['Queue', 'x', 'NOT_FOUND: queues "x" not found'],
    ['Gpu', 'n1', 'NOT_FOUND: gpus "n1" not found'],
    ['Pod', 'x', 'INVALID_ARGUMENT: kind: "Pod" is none of TrainingJob, Node, Gpu, Queue, Reservation, Event'],
  ])('of what is not there: %s %s', async (kind, name, want) => {
    expect(await failure(get(kind, name))).toBe(want);
  });
});

describe('list', () => {
  test('is in the order of names, and carries the revision to watch from', async () => {
    for (const name of ['b', 'c', 'a']) await api.loop.offer(applyJob(name));
    const { resources, revision } = await list({ kind: 'TrainingJob' });
    expect(namesOf(resources)).toEqual(['a', 'b', 'c']);
    expect(revision).toBe(BigInt(api.loop.revision));
  });

  test('keeps the names and the labels that are asked for', async () => {
    await api.loop.offer({ ...applyJob('a'), labels: { team: 'nlp', env: 'dev' } });
    await api.loop.offer({ ...applyJob('b'), labels: { team: 'nlp' } });
    expect(namesOf((await list({ kind: 'TrainingJob', labelSelector: { team: 'nlp' } })).resources)).toEqual(['a', 'b']);
    expect(namesOf((await list({ kind: 'TrainingJob', labelSelector: { team: 'nlp', env: 'dev' } })).resources)).toEqual(['a']);
    expect(namesOf((await list({ kind: 'TrainingJob', names: ['b', 'nobody'] })).resources)).toEqual(['b']);
  });

  test('of GPUs takes a node’s name for all of its GPUs', async () => {
    expect(namesOf((await list({ kind: 'Gpu', names: ['n2'] })).resources)).toEqual(['n2/0', 'n2/1']);
    expect(namesOf((await list({ kind: 'Gpu', names: ['n2/1'] })).resources)).toEqual(['n2/1']);
  });

  test('of events keeps those about one object, oldest first', async () => {
    await api.loop.offer(applyJob('a'));
    await api.loop.offer(applyJob('n1'));
    const about = async (kind: string, name: string): Promise<readonly string[]> =>
      (await list({ kind: 'Event', about: { kind, name } })).resources.map(({ object }) =>
        object.case === 'event' ? object.value.reason : '',
      );
    expect(await about('TrainingJob', 'a')).toEqual(['Created', 'Placed']);
    expect(await about('Node', 'n1')).toEqual(['Registered', 'Ready']);
    expect(await about('', 'n1')).toEqual(['Registered', 'Ready', 'Created', 'Placed']);
  });

  test('as a table has a cell for each column, and no objects', async () => {
    await api.loop.offer(applyJob('a'));
    const { table, resources } = await list({ kind: 'Node', table: true });
    expect(resources).toEqual([]);
    expect(table?.rows.map((row) => row.object?.name)).toEqual(['n1', 'n2']);
    for (const row of table?.rows ?? []) expect(row.cells.length).toBe(table?.columns.length);
    expect(table?.rows[0]?.cells.slice(0, 5)).toEqual(['n1', 'Ready', '1/2', 'ok', 'a']);
  });
});

describe('what people change', () => {
  test('suspend and resume say whether anything changed', async () => {
    await api.loop.offer(applyJob('a', { workers: 9 }));
    const suspend = () => api.control.suspend(create(SuspendRequestSchema, { job: 'a' }), api.alice);
    const resume = () => api.control.resume(create(ResumeRequestSchema, { job: 'a' }), api.alice);
    expect([(await suspend()).changed, (await suspend()).changed, (await resume()).changed, (await resume()).changed]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test('hold, release, next and priority say whether anything changed, and who did it is shown', async () => {
    await api.loop.offer(applyJob('a', { workers: 9 }));
    const { control, alice } = api;
    const asked = [
      control.hold(create(HoldRequestSchema, { job: 'a' }), alice),
      control.hold(create(HoldRequestSchema, { job: 'a' }), alice),
      control.next(create(NextRequestSchema, { job: 'a' }), alice),
      control.prioritize(create(PrioritizeRequestSchema, { job: 'a', priority: 70 }), alice),
      control.prioritize(create(PrioritizeRequestSchema, { job: 'a', priority: 70 }), alice),
    ];
    expect((await Promise.all(asked)).map(({ changed }) => changed)).toEqual([true, false, true, true, false]);
    const [resource] = (await list({ kind: 'TrainingJob' })).resources ?? [];
    const held = resource?.object?.case === 'trainingJob' ? resource.object.value : undefined;
    expect(held).toMatchObject({
      spec: { priority: 70 },
      status: { phase: 'Pending', reason: 'Held', held: { by: 'alice' }, next: { by: 'alice' } },
    });
    expect((await control.release(create(ReleaseRequestSchema, { job: 'a' }), alice)).changed).toBe(true);
    expect(await failure(control.prioritize(create(PrioritizeRequestSchema, { job: 'a', priority: 101 }), alice))).toBe(
      'INVALID_ARGUMENT: priority: 101 is out of range; allowed: 0..100',
    );
  });

  test('cordon, uncordon and drain do what they say, in the caller’s name', async () => {
    await api.loop.offer(applyJob('a'));
    expect(await api.control.cordon(create(CordonRequestSchema, { node: 'n1', reason: 'disk' }), api.alice)).toEqual({ changed: true });
    expect(await api.loop.read((state) => [...state.nodes.values()].map((node) => node.cordon?.by ?? null))).toEqual(['alice', null]);
    expect(await api.control.drain(create(DrainRequestSchema, { node: 'n1' }), api.alice)).toEqual({ jobs: ['a'] });
    expect(await api.control.uncordon(create(UncordonRequestSchema, { node: 'n1' }), api.alice)).toEqual({ changed: true });
  });

  test('delete takes jobs and queues, and nothing else', async () => {
    const remove = (kind: string, name: string) => api.control.delete(create(DeleteRequestSchema, { object: { kind, name } }), api.alice);
    await api.loop.offer(applyJob('a', { workers: 9 }));
    expect(await remove('TrainingJob', 'a')).toEqual({ uid: 'uid-a' });
    expect(await remove('Queue', 'default')).toEqual({ uid: 'default' });
    expect(await failure(remove('Node', 'n1'))).toBe(
      'INVALID_ARGUMENT: object.kind: "Node" cannot be deleted; TrainingJob, Queue and Reservation can',
    );
    expect(await failure(remove('TrainingJob', 'a'))).toMatch(/^NOT_FOUND: jobs "a" not found/);
  });

  test('is refused with the reason while the store cannot be written; what is asked is answered', async () => {
    api.disk.failNext('unavailable');
    const suspend = () => api.control.suspend(create(SuspendRequestSchema, { job: 'a' }), api.alice);
    await api.loop.offer(applyJob('a')).catch(() => undefined);
    expect(await failure(suspend())).toBe('UNAVAILABLE: the store cannot be written: the memory store was told to be unavailable');
    const info = await api.control.info(create(InfoRequestSchema, {}), api.alice);
    expect(info.degraded).toBe('the store cannot be written: the memory store was told to be unavailable');
    expect(namesOf((await list({ kind: 'Node' })).resources)).toEqual(['n1', 'n2']);
  });
});

test('info tells who the caller is and what the server is', async () => {
  const { clusterId, ...info } = await api.control.info(create(InfoRequestSchema, {}), api.alice);
  expect(clusterId).toMatch(/^[0-9a-f-]{36}$/);
  expect(info).toEqual({
    user: 'alice',
    role: 'cluster-admin',
    epoch: 1n,
    revision: BigInt(api.loop.revision),
    serverVersion: 'test',
    estimates: { told: 0n, withinP90: 0n },
    caHash: 'cafe',
    degraded: '',
    agentAddress: '127.0.0.1:7071',
  });
});

describe('the ledger', () => {
  const read = async (by: string) => create(LedgerResponseSchema, await api.control.ledger(create(LedgerRequestSchema, { by }), api.alice));

  test('has all time of the cluster in categories, and what jobs held by whose they are', async () => {
    await api.loop.offer(applyJob('a'));
    api.clock.jump(5_000);
    expect(await read('')).toMatchObject({
      capacity: '20000000',
      rows: [{ name: '', amounts: { starting: '5000000', idle: '15000000' } }],
    });
    const want = (name: string) => [{ name, amounts: { starting: '5000000' } }];
    expect((await read('user')).rows).toMatchObject(want('alice'));
    expect((await read('queue')).rows).toMatchObject(want('default'));
    expect((await read('project')).rows).toMatchObject(want(''));
    expect((await read('job')).rows).toMatchObject(want('a'));
    const queue = await get('Queue', 'default');
    expect(queue?.object.case === 'queue' && queue.object.value.status?.ledger).toEqual({ starting: '5000000' });
  });

  test('is not grouped by what it does not know', async () => {
    expect(await failure(read('team'))).toContain('INVALID_ARGUMENT');
  });
});
