import { expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, nodeName } from '#vocabulary/ids.ts';

const place = (name: string, places: Readonly<Record<string, number>>) => ({
  kind: 'placeJob' as const,
  name: jobName(name),
  places: Object.entries(places).map(([node, workers]) => ({ node: nodeName(node), workers })),
});

const cluster = (): FakeCluster => new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });

test('workers stand exactly where they were put, in that order, before any pass looks at the job', () => {
  const it = cluster();
  const replies = it.step([applyJob('a', { workers: 3, gpusPerWorker: 2 }), place('a', { n22: 1, n11: 2 })]);
  expect(replies[1]).toMatchObject({ kind: 'changed', changed: true });
  expect(it.placements()).toEqual(['a n22:0,1 n11:0,1 n11:2,3']);
});

test.each([
  [
    'a node without room',
    { workers: 2, gpusPerWorker: 3 },
    { n11: 2 },
    'workers of 3 GPUs of one model do not fit on n11 (4 of 4 GPUs free)',
  ],
  ['fewer workers than the job has', { workers: 2, gpusPerWorker: 1 }, { n11: 1 }, '1 workers are placed; job a has 2'],
  ['a node that is not there', { workers: 1, gpusPerWorker: 1 }, { n99: 1 }, 'do not fit on n99 (not there)'],
  [
    'two racks for a job of one',
    { workers: 2, gpusPerWorker: 1, constraints: [{ level: 'rack', mode: 'required' as const, waitMs: null }] },
    { n11: 1, n21: 1 },
    'job a must be inside one rack',
  ],
])('%s is refused, and the job is left to the pass', (_what, spec, places, want) => {
  const it = cluster();
  const replies = it.step([applyJob('a', spec), place('a', places)]);
  expect(replies[1]).toMatchObject({ kind: 'refused', message: expect.stringContaining(want) });
});

test('slots are given where they are put, in order, and nobody gets one that is held or of a GPU that is divided', () => {
  const slots = [['1g.10gb', '3g.40gb', '1g.10gb'], []];
  const it = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2, slots }]);
  const slotOf = (name: string) => it.job(name).attempts[0]?.placement;
  it.step([
    applyJob('a', { gpuProfile: '1g.10gb' }),
    place('a', { n1: 1 }),
    applyJob('b', { gpuProfile: '1g.10gb' }),
    place('b', { n1: 1 }),
  ]);
  expect(slotOf('a')).toEqual([{ node: 'n1', gpus: [0], slot: 'MIG-n1-0-0' }]);
  expect(slotOf('b')).toEqual([{ node: 'n1', gpus: [0], slot: 'MIG-n1-0-2' }]);
  it.step([applyJob('c', { gpusPerWorker: 1 }), place('c', { n1: 1 })]);
  expect(slotOf('c')).toEqual([{ node: 'n1', gpus: [1] }]);
  expect(it.step([applyJob('d', { gpuProfile: '1g.10gb' }), place('d', { n1: 1 })])[1]).toMatchObject({
    message: expect.stringContaining('workers of a 1g.10gb slot of one model do not fit on n1'),
  });
});

test('a job that runs already is refused', () => {
  const it = cluster();
  it.step([applyJob('a')]);
  expect(it.step([place('a', { n11: 1 })])).toMatchObject([{ kind: 'refused', message: 'job a does not wait' }]);
});
