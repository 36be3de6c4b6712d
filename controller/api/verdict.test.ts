import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import {
  ApplyRequestSchema,
  ApplyResponseSchema,
  GetRequestSchema,
  GetResponseSchema,
  PlanRequestSchema,
  PlanResponseSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { Remedy, Verdict } from '#gen/shoal/v1/verdict_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { assert } from '#vocabulary/assert.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  for (const [name, rack, gpus, model] of [
    ['n1', 'r1', 4, 'H100'],
    ['n2', 'r1', 2, 'H100'],
    ['n3', 'r2', 4, 'H100'],
    ['n4', 'r2', 2, 'A100-80GB'],
  ] as const)
    await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name, rack, gpus, model }).hello() });
});
afterEach(() => api.stop());

interface Manifest {
  readonly [field: string]: unknown;
}

const manifest = (kind: 'TrainingJob' | 'Queue', name: string, spec: Manifest): Manifest => ({
  apiVersion: 'shoal.dev/v1',
  kind,
  metadata: { name },
  spec: kind === 'Queue' ? spec : { template: { command: ['true'] }, ...spec },
});

async function apply(document: Manifest): Promise<string> {
  const request = create(ApplyRequestSchema, { documents: [{ json: JSON.stringify(document) }] });
  const [result] = create(ApplyResponseSchema, await api.control.apply(request, api.alice)).results;
  return [result?.outcome, ...(result?.problems ?? []).map(({ field, message }) => `${field}: ${message}`)].join(' ');
}

async function look(name: string): Promise<{ readonly phase: string; readonly verdict: Verdict | undefined }> {
  const request = create(GetRequestSchema, { object: { kind: 'TrainingJob', name }, verdict: true });
  const { resource } = create(GetResponseSchema, await api.control.get(request, api.alice));
  const status = resource?.object.case === 'trainingJob' ? resource.object.value.status : undefined;
  return { phase: status?.phase ?? '', verdict: status?.verdict };
}

/** The manifest as somebody would edit it who was told so. */
function edited(document: Manifest, { changes }: Remedy): Manifest {
  const copy = structuredClone(document);
  for (const { field, value } of changes) {
    const names = [...field.matchAll(/([A-Za-z0-9_-]+)|\["([^"]+)"\]/g)].map(([, plain, quoted]) => plain ?? quoted ?? '');
    let inner: Record<string, unknown> = copy;
    for (const name of names.slice(0, -1)) {
      const next = (inner[name] ??= {});
      assert(isRecord(next), `${field} is inside an object`);
      inner = next;
    }
    const last = names.at(-1) ?? '';
    if (value === undefined) delete inner[last];
    else inner[last] = JSON.parse(value);
  }
  return copy;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const rack = { placement: { constraints: [{ level: 'rack', mode: 'required' }] } };

describe('what a verdict suggests is a change of the manifest that comes true when it is applied', () => {
  test.each<[string, Manifest]>([
    ['FewerWorkers', { workers: 4, gpusPerWorker: 2, gpuModel: ['H100'], mesh: { data: 4, tensor: 2 } }],
    ['FewerGpus', { workers: 4, gpusPerWorker: 3 }],
    ['SmallerWorkers', { workers: 2, gpusPerWorker: 3 }],
    ['SmallerWorkers', { workers: 2, gpusPerWorker: 3, mesh: { data: 3, tensor: 2 }, placement: { spread: { level: 'rack', max: 2 } } }],
    ['WiderLevel', { workers: 3, gpusPerWorker: 2, ...rack }],
    ['NoSegments', { workers: 3, gpusPerWorker: 2, placement: { segments: [{ level: 'rack', workers: 3 }] } }],
    ['NoSpread', { workers: 3, gpusPerWorker: 2, placement: { spread: { level: 'rack', max: 1 } } }],
    ['AnyNode', { gpusPerWorker: 1, placement: { nodeSelector: { pool: 'x' } } }],
    ['AvoidNone', { gpusPerWorker: 4, placement: { avoidNodes: ['n3'] } }],
    ['OtherModel', { gpusPerWorker: 2, gpuModel: ['B200'] }],
    ['NoDependency', { after: [{ job: 'never' }] }],
    ['StartNow', { notBefore: '2999-01-01T00:00:00Z' }],
  ])('%s, of a job', async (kind, spec) => {
    await apply(manifest('TrainingJob', 'blocker', { gpusPerWorker: 4 }));
    const document = manifest('TrainingJob', 'a', spec);
    expect(await apply(document)).toBe('created');
    const { phase, verdict } = await look('a');
    const remedy = verdict?.remedies.find((each) => each.kind === kind);
    expect([phase, verdict?.remedies.map((each) => each.kind)]).toEqual(['Pending', expect.arrayContaining([kind])]);
    assert(remedy !== undefined, `${kind} is suggested`);
    expect(await apply(edited(document, remedy))).toBe('configured');
    expect(await look('a')).toEqual({ phase: 'Starting', verdict: undefined });
  });

  test.each<[string, Manifest]>([
    ['QueueLimit', { limit: { 'A100-80GB': 1 } }],
    ['UserLimit', { perUser: { limit: { 'A100-80GB': 1 } } }],
    ['UserMaxRunning', { perUser: { maxRunning: 0 } }],
    ['OpenQueue', { hold: true }],
  ])('%s, of a queue', async (kind, spec) => {
    const queue = manifest('Queue', 'q', spec);
    expect(await apply(queue)).toBe('created');
    expect(await apply(manifest('TrainingJob', 'a', { queue: 'q', gpuModel: ['A100-80GB'], gpusPerWorker: 2 }))).toBe('created');
    const { verdict } = await look('a');
    const remedy = verdict?.remedies.find((each) => each.kind === kind);
    assert(remedy !== undefined, `${kind} is suggested`);
    expect(remedy.queue).toBe('q');
    expect(await apply(edited(queue, remedy))).toBe('configured');
    expect((await look('a')).phase).toBe('Starting');
  });
});

test('a verdict is only there when it is asked for, and says as much as its lines', async () => {
  await apply(manifest('TrainingJob', 'blocker', { gpusPerWorker: 4 }));
  await apply(manifest('TrainingJob', 'a', { workers: 3, gpusPerWorker: 2, ...rack }));
  const request = create(GetRequestSchema, { object: { kind: 'TrainingJob', name: 'a' } });
  const { resource } = create(GetResponseSchema, await api.control.get(request, api.alice));
  expect(resource?.object.case === 'trainingJob' && resource.object.value.status?.verdict).toBeUndefined();
  const { verdict } = await look('a');
  expect(verdict).toMatchObject({
    class: 'HonestWait',
    reason: 'LevelTooSmall',
    position: { inQueue: 1, inQueueOf: 1, inAll: 1, inAllOf: 1 },
    queues: [{ name: 'default', turn: 1, turnOf: 1 }],
    user: { name: 'alice', running: 1 },
  });
  expect(verdict?.rooms.map(({ model, freeGpus }) => `${model} ${freeGpus}`)).toEqual(['A100-80GB 2', 'H100 6']);
  expect(verdict?.rooms[1]?.levels.map(({ level, host, domains, best }) => `${level} ${host}/${domains} ${best}`)).toEqual([
    'cluster 1/1 3',
    'zone 1/1 3',
    'block 1/1 3',
    'rack 0/2 2',
    'node 0/4 2',
  ]);
  expect(verdict?.lines[0]).toMatchObject({ title: 'Why pending', text: `LevelTooSmall: ${verdict?.message}` });
});

test('a dry run has the verdict of a job that would wait, and none of one that would not', async () => {
  await apply(manifest('TrainingJob', 'other', { workers: 2, gpusPerWorker: 4 }));
  const plan = async (spec: Manifest) => {
    const request = create(PlanRequestSchema, { documents: [{ json: JSON.stringify(manifest('TrainingJob', 'a', spec)) }] });
    return create(PlanResponseSchema, await api.control.plan(request, api.alice)).results[0];
  };
  expect((await plan({ gpusPerWorker: 2 }))?.verdict).toBeUndefined();
  const waits = await plan({ gpusPerWorker: 4 });
  expect([waits?.waitReason, waits?.verdict?.reason, waits?.verdict?.position]).toMatchObject([
    'InsufficientGpus',
    'InsufficientGpus',
    { inQueue: 1, inQueueOf: 1 },
  ]);
  expect(waits?.verdict?.remedies.map(({ kind, text }) => `${kind} ${text}`)).toEqual(['FewerGpus with 2 GPUs a worker']);
  expect((await look('other')).phase).toBe('Starting');
});
