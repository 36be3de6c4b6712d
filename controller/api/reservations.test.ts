import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import {
  ApplyRequestSchema,
  ApplyResponseSchema,
  DeleteRequestSchema,
  GetRequestSchema,
  GetResponseSchema,
  ListRequestSchema,
  ListResponseSchema,
  PlanRequestSchema,
  PlanResponseSchema,
  WatchRequestSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { Reservation } from '#gen/shoal/v1/reservation_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob } from '#test/simulation/fakeCluster.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  for (const name of ['n1', 'n2']) await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name, rack: 'r1', gpus: 2 }).hello() });
});
afterEach(() => api.stop());

const failure = async (asked: PromiseLike<unknown> | object): Promise<string> => {
  try {
    await asked;
    return 'none';
  } catch (error) {
    return failureOf(error);
  }
};

const document = (spec: object) => ({
  json: JSON.stringify({ apiVersion: 'shoal.dev/v1', kind: 'Reservation', metadata: { name: 'mend' }, spec }),
});
const mend = (changes: object = {}) =>
  document({ kind: 'maintenance', reason: 'fans', nodes: { names: ['n1'] }, duration: '1h', ...changes });

async function apply(one: { readonly json: string }): Promise<string> {
  const request = create(ApplyRequestSchema, { documents: [one] });
  const [result] = create(ApplyResponseSchema, await api.control.apply(request, api.alice)).results;
  return [result?.outcome, ...(result?.problems ?? []).map(({ field, message }) => `${field}: ${message}`)].join(' ');
}

async function get(kind: string, name: string) {
  const { resource } = create(GetResponseSchema, await api.control.get(create(GetRequestSchema, { object: { kind, name } }), api.alice));
  return resource?.object;
}

async function reservation(): Promise<Reservation> {
  const object = await get('Reservation', 'mend');
  if (object?.case !== 'reservation') throw new Error('no reservation');
  return object.value;
}

test('is applied, told with its nodes and the jobs there, listed as a table, and deleted', async () => {
  await api.loop.offer(applyJob('a', { gpusPerWorker: 2 }));
  const startMs = api.clock.nowMs() + 600_000;
  expect(await apply(mend({ start: formatTimestamp(startMs) }))).toBe('created');
  expect(await apply(mend({ start: formatTimestamp(startMs) }))).toBe('unchanged');
  const { spec, status } = await reservation();
  expect(spec).toMatchObject({ kind: 'maintenance', duration: '1h', start: formatTimestamp(startMs), drain: 'suspend' });
  expect(status).toMatchObject({
    state: 'Planned',
    nodes: ['n1'],
    gpus: 2,
    gpusUsed: 2,
    createdBy: 'alice',
    jobs: [{ job: 'a', fate: 'ToLeave', at: { seconds: BigInt((startMs - 35_000) / 1_000) } }],
  });
  const { table } = create(
    ListResponseSchema,
    await api.control.list(create(ListRequestSchema, { kind: 'Reservation', table: true }), api.alice),
  );
  expect(table?.rows.map(({ cells }) => cells.slice(0, 9))).toEqual([
    ['mend', 'maintenance', 'Planned', formatTimestamp(startMs), formatTimestamp(startMs + 3_600_000), '', '1', '2/2', ''],
  ]);
  const remove = () => api.control.delete(create(DeleteRequestSchema, { object: { kind: 'Reservation', name: 'mend' } }), api.alice);
  await remove();
  expect(await failure(get('Reservation', 'mend'))).toBe('NOT_FOUND: reservations "mend" not found');
  expect(await failure(remove())).toContain('NOT_FOUND: reservations "mend" not found');
});

test('under way it is what keeps its node, as `get nodes` has it', async () => {
  expect(await apply(mend())).toBe('created');
  expect((await reservation()).status?.state).toBe('Active');
  const node = await get('Node', 'n1');
  expect(node?.case === 'node' && node.value.status?.cordon).toMatchObject({ owner: 'reservation/mend', reason: 'fans' });
  api.clock.jump(3_600_000);
  await api.loop.offer({ kind: 'tick' });
  expect((await reservation()).status?.state).toBe('Over');
});

test('a dry run says what applying it would be answered, and changes nothing', async () => {
  const plan = async (one: { readonly json: string }) =>
    create(PlanResponseSchema, await api.control.plan(create(PlanRequestSchema, { documents: [one] }), api.alice)).results[0]?.apply;
  expect((await plan(mend()))?.outcome).toBe('created');
  expect((await plan(mend({ nodes: { names: ['n3'] } })))?.problems).toMatchObject([
    { field: 'spec.nodes.names[0]', message: 'node "n3" does not exist; did you mean "n1"?' },
  ]);
  expect(await failure(get('Reservation', 'mend'))).toContain('NOT_FOUND');
});

test('a watch is told when it begins and when it ends', async () => {
  await apply(mend({ start: formatTimestamp(api.clock.nowMs() + 10_000), duration: '10s' }));
  const seen: string[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    for await (const change of api.control.watch(create(WatchRequestSchema, { kind: 'Reservation' }), await api.as(abort.signal))) {
      const object = change.resource?.object;
      if (object?.case === 'reservation') seen.push(`${change.type} ${object.value?.status?.state}`);
      if (seen.length === 3) abort.abort();
    }
  })();
  for (let turn = 0; turn < 3; turn += 1) {
    for (let wait = 0; wait < 200 && seen.length <= turn; wait += 1) await api.loop.read(() => undefined);
    api.clock.jump(10_000);
    await api.loop.offer({ kind: 'tick' });
  }
  await watching;
  expect(seen).toEqual(['ADDED Planned', 'MODIFIED Active', 'MODIFIED Over']);
});
