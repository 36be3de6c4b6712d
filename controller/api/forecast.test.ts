import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import type { ForecastResponse, PlanResponse } from '#gen/shoal/v1/control_pb.js';
import { ForecastRequestSchema, ForecastResponseSchema, PlanRequestSchema, PlanResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { queueName } from '#vocabulary/ids.ts';

/** The real thread, over the memory store. */
let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  for (const name of ['n1', 'n2']) await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name, rack: 'r1', gpus: 4 }).hello() });
});
afterEach(() => api.stop());

const manifest = (name: string, workers: number, changes: object = {}): { json: string } => ({
  json: JSON.stringify({
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: { workers, gpusPerWorker: 4, maxRuntime: '10m', template: { command: ['train'] }, ...changes },
  }),
});

async function plan(documents: readonly { json: string }[], when = true): Promise<PlanResponse> {
  return create(PlanResponseSchema, await api.control.plan(create(PlanRequestSchema, { documents: [...documents], when }), api.alice));
}

async function forecast(request: Parameters<typeof create<typeof ForecastRequestSchema>>[1] = {}): Promise<ForecastResponse> {
  return create(ForecastResponseSchema, await api.control.forecast(create(ForecastRequestSchema, request), api.alice));
}

const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'no failure', failureOf);

describe('plan', () => {
  test('documents see those before them; who must wait is told when it starts; nothing changes', async () => {
    const { revision } = api.loop;
    const { results, revision: seen, at } = await plan([manifest('a', 1), manifest('b', 1), manifest('c', 2)]);
    const told = results.map(({ apply, placement, waitReason, start }) => [
      apply?.outcome,
      placement.map(({ node }) => node).join(),
      waitReason,
      start?.p50 === undefined || at === undefined ? null : timestampMs(start.p50) - timestampMs(at),
    ]);
    expect(told).toEqual([
      ['created', 'n1', '', null],
      ['created', 'n2', '', null],
      ['created', '', 'Reserved', 600_000],
    ]);
    expect([Number(seen), api.loop.revision]).toEqual([revision, revision]);
  });

  test('it names who would be asked to leave, and what they would lose', async () => {
    await api.loop.offer(applyJob('low', { workers: 2, gpusPerWorker: 4, priority: 10 }, 'bob'));
    await api.clock.pass(120_000);
    const [result] = (await plan([manifest('high', 1, { priority: 90 })])).results;
    expect(result?.waitReason).toBe('WaitingForVictims');
    expect(result?.promised.map(({ node, gpus }) => `${node} ${gpus.join()}`)).toEqual(['n1 0,1,2,3']);
    expect(result?.displaced).toMatchObject([
      { job: 'low', queue: 'default', user: 'bob', gpuMilli: 8_000n, lostGpuSeconds: 1_440n, moves: false },
    ]);
  });

  test('a refused document does not stop the others, and one that is there already is told so', async () => {
    await api.loop.offer(applyJob('a', { workers: 2, gpusPerWorker: 4 }));
    const { results } = await plan([{ json: '{' }, manifest('none', 0), manifest('fits', 1)]);
    expect(results.map(({ apply }) => apply?.outcome)).toEqual(['refused', 'refused', 'created']);
    expect(results[0]?.apply?.code).toBe('INVALID_ARGUMENT');
  });

  test('it is about what was committed right before', async () => {
    for (let round = 0; round < 3; round += 1) {
      await api.loop.offer(applyJob(`j${round}`, { gpusPerWorker: 4, maxRuntimeMs: 60_000 }));
      const { results, revision } = await plan([manifest('next', 1)]);
      expect(Number(revision)).toBe(api.loop.revision);
      expect(results[0]?.placement).toHaveLength(round === 0 ? 1 : 0);
    }
  });

  test('more questions at a time than are answered are refused, and the others are answered', async () => {
    const asked = Array.from({ length: 5 }, () => failure(plan([manifest('a', 1)])));
    const answers = await Promise.all(asked);
    expect(answers.filter((answer) => answer === 'no failure')).toHaveLength(2);
    expect(answers[4]).toBe(
      'RESOURCE_EXHAUSTED: 2 plans and forecasts are being made, which is as many as there may be; ask again in a moment',
    );
    expect(await failure(plan([manifest('a', 1)]))).toBe('no failure');
  });
});

describe('forecast', () => {
  beforeEach(async () => {
    await api.loop.offer(applyQueue('red', { parent: queueName('default') }));
    for (const [name, queue] of [
      ['a', 'default'],
      ['b', 'red'],
      ['c', 'default'],
    ] as const)
      await api.loop.offer(applyJob(name, { workers: 2, gpusPerWorker: 4, maxRuntimeMs: 600_000, queue: queueName(queue) }));
  });

  const told = (response: ForecastResponse, which: 'before' | 'after'): readonly string[] =>
    (response[which]?.jobs ?? []).map(({ name, runs, start, end, why }) => {
      const from = response.at === undefined ? 0 : timestampMs(response.at);
      const at = (each: typeof start): string => (each === undefined ? '-' : String((timestampMs(each) - from) / 60_000));
      return `${name} ${runs ? 'runs' : at(start)}..${at(end)}${why === '' ? '' : ` ${why}`}`;
    });

  test('without changes: how the queue goes to its end, of one queue and those below it', async () => {
    const all = await forecast();
    expect([told(all, 'before'), all.after]).toEqual([['a runs..10', 'c 10..20', 'b 20..30'], undefined]);
    expect([all.before?.usedPermille, Number(all.revision), Number(all.clusterRevision)]).toEqual([
      1_000,
      api.loop.revision,
      api.loop.revision,
    ]);
    expect(told(await forecast({ queue: 'red' }), 'before')).toEqual(['b 20..30']);
    expect(told(await forecast({ queue: 'default' }), 'before')).toHaveLength(3);
    expect(await failure(forecast({ queue: 'rad' }))).toBe('NOT_FOUND: queue "rad" not found; did you mean "red"?');
  });

  test('with changes: both ways side by side', async () => {
    const added = { case: 'addNodes', value: { count: 2, gpuModel: 'H100', gpus: 4, domain: 'rack/r1' } } as const;
    const more = await forecast({ changes: [{ change: added }] });
    expect([told(more, 'before'), told(more, 'after')]).toEqual([
      ['a runs..10', 'c 10..20', 'b 20..30'],
      ['a runs..10', 'b 0..10', 'c 10..20'],
    ]);
    const first = await forecast({ changes: [{ change: { case: 'next', value: 'b' } }] });
    expect(told(first, 'after')).toEqual(['a runs..10', 'b 10..20', 'c 20..30']);
    const less = await forecast({ changes: [{ change: { case: 'quota', value: { queue: 'red', field: 'limit', amount: 4 } } }] });
    expect(told(less, 'after')).toEqual(['a runs..10', 'c 10..20', 'b -..- queue red may hold 4 H100 GPUs, holds 0; 8 more wanted']);
    const document = { case: 'document', value: manifest('d', 1, { priority: 80 }) } as const;
    expect(told(await forecast({ changes: [{ change: document }] }), 'after')).toEqual(['a runs..10', 'd 10..20', 'c 20..30', 'b 30..40']);
  });

  test('changes that cannot be are refused by their number', async () => {
    const lose = (value: string): { change: { case: 'lose'; value: string } } => ({ change: { case: 'lose', value } });
    expect(await failure(forecast({ changes: [lose('n1'), lose('n3'), lose('rack/r7')] }))).toBe(
      'INVALID_ARGUMENT: changes[1]: node "n3" not found; did you mean "n1"?\nchanges[2]: rack "r7" not found; did you mean "r1"?',
    );
    expect(await failure(forecast({ changes: [{}] }))).toBe('INVALID_ARGUMENT: changes[0]: it says nothing');
    const size = { change: { case: 'quota', value: { queue: 'red', field: 'size', amount: 1 } } } as const;
    expect(await failure(forecast({ changes: [size] }))).toBe('INVALID_ARGUMENT: changes[0]: "size" is none of limit, guaranteed, weight');
    const document = { change: { case: 'document', value: manifest('d', 0) } } as const;
    expect(await failure(forecast({ changes: [document] }))).toMatch(/^INVALID_ARGUMENT: changes\[0\]: /);
    expect(await failure(forecast({ changes: Array.from({ length: 1_001 }, () => lose('n1')) }))).toBe(
      'INVALID_ARGUMENT: changes: 1001 are given; at most 1000 a call',
    );
  });
});
