import { describe, expect, test } from 'vitest';
import { specOfSize } from '#vocabulary/elastic.ts';
import { desiredFor } from '#core/desired.ts';
import { nodeName } from '#vocabulary/ids.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';

function begin(free: number): FakeCluster {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 8 });
  if (free < 16) cluster.step([applyJob('other', { workers: 16 - free, preemptible: false })]);
  return cluster;
}
const sizeIn = (cluster: FakeCluster, name: string): number => cluster.job(name).attempts.at(-1)?.placement.length ?? 0;

describe('an elastic job starts', () => {
  test.each([
    [16, 8],
    [8, 8],
    [7, 7],
    [3, 3],
    [2, 2],
    [1, 0],
  ])('with %i free GPUs and 8 asked for, at least 2: with %i workers', (free, want) => {
    const cluster = begin(free);
    cluster.step([applyJob('sweep', { workers: 8, elastic: { minWorkers: 2, maxWorkers: 12 } })]);
    expect(sizeIn(cluster, 'sweep')).toBe(want);
    if (want === 0) expect(cluster.placements()).toContain('sweep waits: 2 x 1 GPUs wanted on H100; 1 of 2 workers fit now (1 GPUs free)');
  });

  test('with no more than its quota allows', () => {
    const cluster = begin(16);
    cluster.step([applyQueue('default', { limit: { H100: 5 } })]);
    cluster.step([applyJob('sweep', { workers: 8, elastic: { minWorkers: 2, maxWorkers: 12 } })]);
    expect(sizeIn(cluster, 'sweep')).toBe(5);
    cluster.step([applyJob('second', { workers: 8, elastic: { minWorkers: 1, maxWorkers: 12 } })]);
    expect(cluster.placements().join('\n')).toContain('second waits: queue default may hold 5 H100 GPUs, holds 5; 1 more wanted');
  });

  test('as one gang of that size: every worker is told how many there are, and its mesh', () => {
    const cluster = begin(10);
    const mesh = [
      { axis: 'data', size: 4 },
      { axis: 'tensor', size: 4 },
    ] as const;
    cluster.step([applyJob('model', { workers: 16, mesh, elastic: { minWorkers: 4, maxWorkers: 16 } })]);
    expect(sizeIn(cluster, 'model')).toBe(8);
    const launches = ['n11', 'n12'].flatMap((node) => desiredFor(cluster.view, nodeName(node)).workers.map(({ launch }) => launch));
    const model = launches.filter(({ jobName }) => jobName === 'model');
    expect(model.map(({ nodeRank }) => nodeRank).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const launch of model)
      expect(launch).toMatchObject({
        workers: 8,
        worldSize: 8,
        sizes: { min: 4, max: 16 },
        mesh: [
          { axis: 'data', size: 2 },
          { axis: 'tensor', size: 4 },
        ],
      });
  });

  test('inside one rack, if that is asked for, with what fits there', () => {
    const cluster = new FakeCluster({ racks: 2, nodesPerRack: 1, gpus: 4 });
    const constraints = [{ level: 'rack', mode: 'required' as const, waitMs: null }];
    cluster.step([applyJob('near', { workers: 6, constraints, elastic: { minWorkers: 2, maxWorkers: 8 } })]);
    expect(cluster.placements()).toEqual(['near n11:0 n11:1 n11:2 n11:3']);
  });

  test('and one that is not preemptible keeps the size at which it started', () => {
    const cluster = begin(4);
    cluster.step([applyJob('firm', { workers: 8, preemptible: false, elastic: { minWorkers: 2, maxWorkers: 12 } })]);
    expect(sizeIn(cluster, 'firm')).toBe(4);
    cluster.step([applyJob('small', {}, 'bob')]);
    cluster.sleep(3_600_000);
    expect(cluster.placements().join('\n')).toContain('small waits: 1 x 1 GPUs wanted');
    expect([...cluster.view.resizable]).toEqual([]);
  });
});

test('a checkpoint is complete when every rank of the size that it has has reported its part', () => {
  const cluster = begin(3);
  cluster.step([applyJob('sweep', { workers: 8, elastic: { minWorkers: 2, maxWorkers: 12 } })]);
  cluster.until('it saved', () => cluster.job('sweep').checkpoint !== null, 10);
  expect(cluster.job('sweep').checkpoint?.step).toBe(5);
});

test('after a node was lost it goes on with those that are left, where they stood', () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
  cluster.step([applyJob('sweep', { workers: 8, elastic: { minWorkers: 2, maxWorkers: 12 } })]);
  cluster.until('it saved', () => cluster.job('sweep').checkpoint !== null, 10);
  cluster.cut.add(cluster.agent('n11'));
  cluster.until('it is placed again', () => cluster.job('sweep').attempts.length === 2, 30);
  const { spec, attempts } = cluster.job('sweep');
  expect(attempts[0]?.end?.reasons).toEqual(['NodeFailure']);
  expect(attempts[1]?.placement.map(({ node, gpus }) => `${node}:${gpus.join()}`)).toEqual(['n12:0', 'n12:1', 'n12:2', 'n12:3']);
  expect(attempts[1]?.resume?.step).toBe(5);
  expect(specOfSize(spec, 4).workers).toBe(4);
});
