import { expect, test } from 'vitest';
import { planJob } from '#core/plan.ts';
import type { Reply } from '#core/inputs.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';

const cluster = (changes: ConstructorParameters<typeof FakeCluster>[1] = {}): FakeCluster =>
  new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 }, changes);
const array = (count: number, parallelism: number | null = null, changes: Partial<JobSpec> = {}) =>
  applyJob('s', { ...changes, array: { count, parallelism } });
const print = (reply: Reply): string =>
  reply.kind === 'refused'
    ? `${reply.code} ${reply.field}: ${reply.message}`
    : reply.kind === 'applied'
      ? `${reply.outcome} ${reply.uid}`
      : '';
const ask = (one: FakeCluster, ...inputs: Parameters<FakeCluster['step']>[0]): readonly string[] => one.step(inputs).map(print);
const names = (one: FakeCluster): readonly string[] => [...one.view.jobs.values()].map((job) => job.name);

test('an array is as many jobs, each with its index, its label and its uid', () => {
  const one = cluster();
  expect(ask(one, array(3))).toEqual(['created uid-s']);
  expect(names(one)).toEqual(['s-0', 's-1', 's-2']);
  expect(one.job('s-2')).toMatchObject({
    labels: { 'shoal.dev/array': 's' },
    array: { name: 's', index: 2, count: 3, parallelism: null },
    spec: { array: null, template: { env: { SHOAL_ARRAY_INDEX: '2', SHOAL_ARRAY_COUNT: '3' } } },
  });
  expect(one.placements()).toEqual(['s-0 n11:0', 's-1 n11:1', 's-2 n11:2']);
});

test('no more than its parallelism run at a time, and the rest says so', () => {
  const one = cluster();
  one.step([array(3, 2)]);
  expect(one.placements()).toEqual(['s-0 n11:0', 's-1 n11:1', 's-2 waits: at most 2 jobs of array s run at a time']);
  one.until('the third runs', () => one.job('s-2').phase.kind === 'active');
  expect(one.view.arrays.get(jobName('s'))).toBe(1);
});

test('the same again changes nothing; another parallelism changes all; what was removed comes back', () => {
  const one = cluster();
  one.step([array(3, 1)]);
  expect(ask(one, array(3, 1))).toEqual(['unchanged uid-s']);
  expect(ask(one, array(3, 3))).toEqual(['configured uid-s']);
  expect(one.placements()).toEqual(['s-0 n11:0', 's-1 n11:1', 's-2 n11:2']);
  const alone = one.job('s-1');
  expect(ask(one, { ...applyJob('s-1'), labels: alone.labels, spec: alone.spec })).toEqual(['unchanged uid-s-1']);
});

test('all or none: one name that is taken refuses the whole', () => {
  const one = cluster();
  one.step([applyJob('s-1')]);
  expect(ask(one, array(3))).toEqual([
    'ALREADY_EXISTS metadata.name: job s-1 exists and is not of array s; delete it first or take another name',
  ]);
  expect(names(one)).toEqual(['s-1']);
});

test('all or none: too many jobs refuse the whole', () => {
  const one = cluster({ jobsMax: 2 });
  expect(ask(one, array(3))).toEqual(['RESOURCE_EXHAUSTED : the cluster keeps at most 2 jobs; delete finished ones']);
  expect(ask(one, array(2))).toEqual(['created uid-s']);
});

test('another count or another spec is refused', () => {
  const one = cluster();
  one.step([array(3)]);
  expect(ask(one, array(4), array(3, null, { workers: 2 }))).toEqual([
    'ALREADY_EXISTS spec.array.count: array s has 3 jobs and their number cannot change; take another name',
    'ALREADY_EXISTS spec.workers: job s-0 has been placed and its workers cannot change any more (priority, preemptible, restarts, spares, after, avoidNodes, notBefore, deadline, minRuntime and maxRuntime can); delete it first or take another name',
  ]);
});

test('a plan shows where its first job would go, or why it would wait', () => {
  const one = cluster();
  const context = { nowMs: one.nowMs, policy };
  expect(planJob(one.view, array(3), context).decision).toMatchObject({ ok: true, placement: [{ node: 'n11', gpus: [0] }] });
  const waits = planJob(one.view, array(3, null, { startAfterMs: one.nowMs + 1 }), context).decision;
  expect(waits).toEqual({ ok: false, wait: { kind: 'NotBefore', untilMs: one.nowMs + 1 } });
  expect(names(one)).toEqual([]);
});
