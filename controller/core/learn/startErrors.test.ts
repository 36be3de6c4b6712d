import { expect, test } from 'vitest';
import { restoreSnapshot, printSnapshot } from '../state/snapshot.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobUid } from '#vocabulary/ids.ts';
import { quantile } from './sketch.ts';
import { noStartErrors, noteStart, tellStart } from './startErrors.ts';

const hour = 3_600_000;

test('before anything is learned a forecast is told as it is, and p90 is twice as far off', () => {
  expect(tellStart(noStartErrors(), 1_000, 1_000 + 60_000)).toEqual({
    atMs: 1_000,
    forecastMs: 61_000,
    p50Ms: 61_000,
    p90Ms: 1_000 + 150_000,
  });
  expect(tellStart(noStartErrors(), 1_000, 1_000).p50Ms).toBe(1_000);
});

test('forecasts that were always twice too long are told half as long, and p90 is what nine of ten kept', () => {
  const errors = noStartErrors();
  for (let job = 0; job < 40; job += 1) {
    const told = tellStart(errors, 0, 2 * hour);
    noteStart(errors, told, job % 10 === 0 ? 3 * hour : hour);
  }
  const { p50Ms, p90Ms } = tellStart(errors, 0, 2 * hour);
  expect(Math.abs(p50Ms - hour)).toBeLessThan(hour / 10);
  expect(p90Ms).toBeLessThan(1.2 * hour);
  // The first of those that took three hours was told before anything was known, with a p90 of four.
  expect([errors.told, errors.withinP90]).toEqual([40, 37]);
  expect(quantile(errors.errors, 500)).toBeLessThan(100);
  expect(quantile(errors.errors, 1_000)).toBeGreaterThan(600);
});

test('what is far off is learned apart from what is near, and helps where nothing else is known', () => {
  const errors = noStartErrors();
  for (let job = 0; job < 20; job += 1) noteStart(errors, tellStart(errors, 0, 2 * hour), 4 * hour);
  for (let job = 0; job < 20; job += 1) noteStart(errors, tellStart(errors, 0, 300_000), 300_000);
  expect(tellStart(errors, 0, 2 * hour).p50Ms).toBeGreaterThan(3.5 * hour);
  expect(tellStart(errors, 0, 300_000).p50Ms).toBeLessThan(330_000);
});

test('what was told first is in the log and held against what came; a snapshot has what was learned', () => {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 4 }]);
  cluster.step([applyJob('a', { gpusPerWorker: 4 }), applyJob('b', { gpusPerWorker: 4 }), applyJob('c', { gpusPerWorker: 4 })]);
  const toldAtMs = cluster.nowMs;
  const starts = (seconds: number) => [
    { uid: jobUid('uid-b'), startMs: toldAtMs + seconds * 1_000 },
    { uid: jobUid('uid-a'), startMs: toldAtMs },
  ];
  cluster.step([{ kind: 'startsForecast', starts: starts(100) }]);
  cluster.step([{ kind: 'startsForecast', starts: starts(900) }]);
  expect(cluster.log.filter(({ kind }) => kind === 'StartsTold')).toMatchObject([
    { starts: [{ uid: 'uid-b', p50Ms: toldAtMs + 100_000 }] },
  ]);
  expect(cluster.job('b').told?.atMs).toBe(toldAtMs);
  expect(cluster.job('a').told).toBeNull();
  cluster.until('b runs', () => cluster.job('b').phase.kind === 'active');
  expect([cluster.job('b').told, cluster.view.startErrors.told, cluster.view.startErrors.withinP90]).toEqual([null, 1, 1]);
  cluster.step([{ kind: 'startsForecast', starts: [{ uid: jobUid('uid-c'), startMs: cluster.nowMs + 5_000 }] }]);
  const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.state)));
  expect([restored.runTimes, restored.startErrors]).toEqual([cluster.state.runTimes, cluster.state.startErrors]);
  expect(restored.jobs.get(jobUid('uid-c'))?.told).toEqual(cluster.job('c').told);
  expect(cluster.replay()).toBe(printSnapshot(cluster.state));
});
