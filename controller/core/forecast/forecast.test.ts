import { describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, jobUid, queueName } from '#vocabulary/ids.ts';
import type { Input } from '../inputs.ts';
import { forkState } from '../state/fork.ts';
import type { JobView } from '../state/view.ts';
import type { ForecastOptions } from './forecast.ts';
import { Forecast } from './forecast.ts';

/** One node of four GPUs, an hour in seconds since it began for reading. */
const oneNode = (): FakeCluster => new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 4 }]);

/** Run times of jobs in seconds, by name; 100 s of all others. */
function open(cluster: FakeCluster, runs: Readonly<Record<string, number>>, changes: Partial<ForecastOptions> = {}): Forecast {
  return new Forecast(forkState(cluster.state), {
    context: { nowMs: cluster.nowMs, policy },
    guess: ({ name }: JobView, heldMs: number) => (runs[name] ?? 100) * 1_000 - heldMs,
    fineness: 1 / 1_000,
    horizonMs: 30 * 86_400_000,
    passesMax: 1_000,
    ...changes,
  });
}

/** One line a job: seconds from the beginning at which it starts and is through, and how often it was stopped. */
function play(forecast: Forecast, inputs: readonly Input[] = []): readonly string[] {
  const beganMs = forecast.nowMs;
  const seconds = (atMs: number | null): string => (atMs === null ? '-' : String(Math.round((atMs - beganMs) / 1_000)));
  forecast.offer(inputs);
  for (let moments = 0; forecast.advance(); moments += 1) expect(moments).toBeLessThan(2_000);
  return [...forecast.state.jobs.values()]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ uid, name }) => {
      const { startMs = null, endMs = null, stops = 0 } = forecast.played.get(uid) ?? {};
      return `${name} ${seconds(startMs)}..${seconds(endMs ?? forecast.endMs(uid))}${stops === 0 ? '' : ` stopped ${stops}`}`;
    });
}

test('one waits for the other, in order, and each runs for as long as is guessed', () => {
  const cluster = oneNode();
  cluster.step(['a', 'b', 'c'].map((name) => applyJob(name, { gpusPerWorker: 4 })));
  expect(play(open(cluster, { a: 60, b: 1_000, c: 10 }))).toEqual(['a -..60', 'b 60..1060', 'c 1060..1070']);
});

test('what the forecast plays does not happen', () => {
  const cluster = oneNode();
  cluster.step(['a', 'b'].map((name) => applyJob(name, { gpusPerWorker: 4 })));
  const events = cluster.log.length;
  play(open(cluster, {}), [applyJob('c', { gpusPerWorker: 4 })]);
  expect([cluster.log.length, cluster.state.jobs.size, cluster.state.pending.length]).toEqual([events, 2, 1]);
});

test('time that a job has held its place counts, and it ends by its maxRuntime', () => {
  const cluster = oneNode();
  cluster.step([applyJob('a', { gpusPerWorker: 4 }), applyJob('b', { gpusPerWorker: 4, maxRuntimeMs: 30_000 })]);
  cluster.sleep(40_000);
  expect(play(open(cluster, { a: 60, b: 500 }), [applyJob('c', { gpusPerWorker: 4 })])).toEqual(['a -..20', 'b 20..50', 'c 50..150']);
});

test('who is displaced leaves, waits again, and goes on where it was, after the restart', () => {
  const cluster = oneNode();
  cluster.step([applyJob('low', { gpusPerWorker: 4, priority: 10 })]);
  cluster.sleep(100_000);
  const urgent = applyJob('urgent', { gpusPerWorker: 4, priority: 90 }, 'bob');
  // It leaves after 5 s with 895 s to go; the restart costs 60 s.
  expect(play(open(cluster, { low: 1_000, urgent: 50 }), [urgent])).toEqual(['low -..1010 stopped 1', 'urgent 5..55']);
});

test('a program without checkpoints begins anew', () => {
  const cluster = oneNode();
  cluster.step([applyJob('low', { gpusPerWorker: 4, priority: 10, checkpoint: null })]);
  cluster.sleep(100_000);
  const urgent = applyJob('urgent', { gpusPerWorker: 4, priority: 90 }, 'bob');
  expect(play(open(cluster, { low: 1_000, urgent: 50 }), [urgent])).toEqual(['low -..1115 stopped 1', 'urgent 5..55']);
});

test('who may not start yet starts when it may; who is held does not, and nobody waits for ever', () => {
  const cluster = oneNode();
  cluster.step([
    applyJob('first'),
    applyJob('later', { startAfterMs: cluster.nowMs + 7_200_000 }),
    applyJob('held'),
    { kind: 'holdJob', name: jobName('held'), user: applyJob('x').user },
    applyJob('after', { after: [{ job: jobName('later'), condition: 'Succeeded' }] }),
  ]);
  expect(play(open(cluster, {}))).toEqual(['after 7300..7400', 'first -..100', 'held -..-', 'later 7200..7300']);
});

test('a queue at its limit lets its next job start when one of its own ends', () => {
  const cluster = oneNode();
  cluster.step([applyQueue('red', { limit: { H100: 2 } })]);
  const red = { queue: queueName('red'), gpusPerWorker: 2 };
  cluster.step([applyJob('a', red), applyJob('b', red), applyJob('c', { gpusPerWorker: 2 })]);
  expect(play(open(cluster, { a: 300 }))).toEqual(['a -..300', 'b 300..400', 'c -..100']);
});

test('a job that is not over by its deadline ends then', () => {
  const cluster = oneNode();
  cluster.step([applyJob('a', { gpusPerWorker: 4 }), applyJob('b', { gpusPerWorker: 4, deadlineMs: cluster.nowMs + 50_000 })]);
  const forecast = open(cluster, { a: 100 });
  play(forecast, [applyJob('c', { gpusPerWorker: 4 })]);
  expect(forecast.state.jobs.get(jobUid('uid-b'))?.phase).toMatchObject({ kind: 'finished', reason: 'DeadlineExceeded' });
  expect(forecast.played.get(jobUid('uid-c'))?.startMs).toBe(cluster.nowMs + 100_000);
});

describe('windows', () => {
  /** 64 jobs of one GPU behind four that run; all end at other times. */
  function crowd(): { readonly cluster: FakeCluster; readonly runs: Readonly<Record<string, number>> } {
    const cluster = oneNode();
    const names = Array.from({ length: 68 }, (_, at) => `j${String(at).padStart(2, '0')}`);
    for (const name of names) cluster.step([applyJob(name)]);
    return { cluster, runs: Object.fromEntries(names.map((name, at) => [name, 600 + ((at * 997) % 3_000)])) };
  }

  function starts(fineness: number): { readonly starts: readonly number[]; readonly moments: number } {
    const { cluster, runs } = crowd();
    const forecast = open(cluster, runs, { fineness });
    let moments = 0;
    while (forecast.advance()) moments += 1;
    const waited = [...forecast.played.values()].flatMap(({ startMs }) => (startMs === null ? [] : [startMs - cluster.nowMs]));
    return { starts: waited.sort((left, right) => left - right), moments };
  }

  test('coarse ones take few passes and are wrong by little', () => {
    const [fine, coarse] = [starts(1 / 1_000), starts(1 / 8)];
    expect(fine.starts).toHaveLength(64);
    expect(coarse.moments).toBeLessThan(fine.moments / 2);
    const errors = coarse.starts.map((atMs, at) => Math.abs(atMs - (fine.starts[at] ?? 0)) / (fine.starts[at] ?? 1));
    expect(Math.max(...errors)).toBeLessThan(1 / 8);
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(1 / 20);
  });

  test('a forecast ends at its horizon, and after its passes', () => {
    const { cluster, runs } = crowd();
    const short = open(cluster, runs, { horizonMs: 1_800_000 });
    while (short.advance());
    expect(short.nowMs).toBeLessThanOrEqual(cluster.nowMs + 1_802_000);
    expect(short.state.pending.length).toBeGreaterThan(0);
    const few = open(cluster, runs, { passesMax: 3 });
    let moments = 0;
    while (few.advance()) moments += 1;
    expect(moments).toBe(3);
  });
});

test('GPU time that was used is what the jobs held', () => {
  const cluster = oneNode();
  cluster.step(['a', 'b'].map((name) => applyJob(name, { gpusPerWorker: 3 })));
  const forecast = open(cluster, { a: 100, b: 100 });
  play(forecast);
  expect(forecast.lastStart).toEqual({ atMs: cluster.nowMs + 100_000, usedMilliMs: 3_000 * 100_000 });
});
