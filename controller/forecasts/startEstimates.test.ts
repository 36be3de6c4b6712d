import { afterEach, beforeEach, expect, test } from 'vitest';
import { settled } from '#controller/testing/manualClock.ts';
import type { RunningLoop } from '#controller/testing/runLoop.ts';
import { runLoop } from '#controller/testing/runLoop.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { jobUid } from '#vocabulary/ids.ts';
import { ForecastsBusy } from './forecastDesk.ts';
import type { Answered } from './forecastDesk.ts';
import { StartEstimates } from './startEstimates.ts';

let running: RunningLoop;
let asked: PromiseWithResolvers<Answered>[];
let said: string[];
const stopping = new AbortController();

beforeEach(async () => {
  running = await runLoop();
  [asked, said] = [[], []];
  await running.loop.offer(applyQueue('default'));
  await running.loop.offer({ kind: 'hello', hello: new FakeAgent({ name: 'n1', rack: 'r1', gpus: 4 }).hello() });
});
afterEach(() => running.stop());

function open(everyMs: number): StartEstimates {
  const desk = {
    ask: (): Promise<Answered> => {
      const answer = Promise.withResolvers<Answered>();
      asked.push(answer);
      return answer.promise;
    },
  };
  const telemetry = { info: () => undefined, error: () => undefined, warn: (_fields: object, message: string) => void said.push(message) };
  return new StartEstimates({ desk, loop: running.loop, clock: running.clock, telemetry, everyMs }, stopping.signal);
}

const answered = async (startMs: number): Promise<void> => {
  const { revision } = running.loop;
  asked
    .at(-1)
    ?.resolve({ answer: { kind: 'starts', starts: [{ uid: jobUid('uid-b'), startMs }] }, revision, nowMs: running.clock.nowMs() });
  await settled();
};

const crowd = async (): Promise<void> => {
  for (const name of ['a', 'b']) await running.loop.offer(applyJob(name, { gpusPerWorker: 4 }));
};

test('starts are forecast while somebody waits, told, and the first one is kept in the log', async () => {
  const starts = open(1_000);
  // Of a job that was told by a controller before this one.
  const told = { atMs: 1, forecastMs: 2, p50Ms: 3, p90Ms: 4 };
  expect(starts.of({ uid: jobUid('uid-a'), told })).toBe(told);
  await running.clock.pass(5_000);
  expect(asked).toHaveLength(0);
  await crowd();
  await running.clock.pass(1_000);
  expect(asked).toHaveLength(1);
  expect(starts.of({ uid: jobUid('uid-b'), told: null })).toBeUndefined();
  const firstMs = running.clock.nowMs() + 60_000;
  await answered(firstMs);
  expect(starts.of({ uid: jobUid('uid-b'), told: null })?.p50Ms).toBe(firstMs);
  // The newest forecast has no start for it: what was told once is not true any more.
  expect(starts.of({ uid: jobUid('uid-a'), told })).toBeUndefined();
  const toldMs = (): Promise<number | undefined> => running.loop.read(({ jobs }) => jobs.get(jobUid('uid-b'))?.told?.forecastMs);
  expect(await toldMs()).toBe(firstMs);
  await running.clock.pass(1_000);
  await answered(firstMs + 9_000);
  expect(starts.of({ uid: jobUid('uid-b'), told: null })?.p50Ms).toBe(firstMs + 9_000);
  expect(await toldMs()).toBe(firstMs);
});

test('one at a time, and it rests for nine times as long as it worked', async () => {
  open(1_000);
  await crowd();
  await running.clock.pass(1_000);
  await running.clock.pass(2_000);
  expect(asked).toHaveLength(1);
  await answered(running.clock.nowMs() + 60_000);
  await running.clock.pass(17_000);
  expect(asked).toHaveLength(1);
  await running.clock.pass(1_000);
  expect(asked).toHaveLength(2);
});

test('a desk that is busy is asked again later, what else goes wrong is said, and 0 means never', async () => {
  open(1_000);
  await crowd();
  await running.clock.pass(1_000);
  asked.at(-1)?.reject(new ForecastsBusy(4));
  await settled();
  expect(said).toEqual([]);
  await running.clock.pass(1_000);
  asked.at(-1)?.reject(new Error('out of memory'));
  await settled();
  expect([asked.length, said]).toEqual([2, ['starts were not forecast']]);
  asked.length = 0;
  open(0);
  stopping.abort();
  await running.clock.pass(60_000);
  expect(asked).toHaveLength(0);
});
