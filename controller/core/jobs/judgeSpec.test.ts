import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { nodeName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';

/** Racks r1 (12 nodes of 8 GPUs) and r2 (3 nodes). */
const racks = Array.from({ length: 15 }, (_, index) => ({ name: `n${index}`, rack: index < 12 ? 'r1' : 'r2', gpus: 8 }));

function answer(changes: Partial<JobSpec>, shapes: ConstructorParameters<typeof FakeCluster>[0] = racks): string {
  const [reply] = new FakeCluster(shapes).step([applyJob('a', changes)]);
  return reply?.kind === 'refused' ? `${reply.code} ${reply.field}: ${reply.message}` : (reply?.kind ?? '');
}

const required = (level: string): JobSpec['constraints'] => [{ level, mode: 'required', waitMs: null }];
const unknown = 'level "row" is not one of this cluster\'s: zone, block, rack, node';

describe('refused', () => {
  test.each<[string, Partial<JobSpec>, string]>([
    ['an unknown level of a constraint', { constraints: required('row') }, `spec.placement.constraints[0].level: ${unknown}`],
    [
      'an unknown level of segments',
      { workers: 2, segments: [{ level: 'row', workers: 2 }] },
      `spec.placement.segments[0].level: ${unknown}`,
    ],
    ['an unknown level of a spread', { spread: { level: 'row', max: 1 } }, `spec.placement.spread.level: ${unknown}`],
    ['an unknown exclusive level', { exclusive: 'row' }, `spec.placement.exclusive: ${unknown}`],
    [
      'segments that do not divide the gang',
      { workers: 16, segments: [{ level: 'rack', workers: 6 }] },
      'spec.placement.segments[0].workers: segments of 6 workers do not divide spec.workers 16: 16 = 2 x 6 + 4',
    ],
    [
      'segments that do not divide those around them, in whatever order they are given',
      {
        workers: 16,
        segments: [
          { level: 'rack', workers: 3 },
          { level: 'block', workers: 8 },
        ],
      },
      'spec.placement.segments[0].workers: segments of 3 workers do not divide the block segments of 8: 8 = 2 x 3 + 2',
    ],
    [
      'a worker larger than every node',
      { gpusPerWorker: 16 },
      'spec.gpusPerWorker: a worker of 16 GPUs cannot fit a node: the largest node has 8 H100',
    ],
    [
      'a segment larger than every rack',
      { workers: 16, gpusPerWorker: 8, segments: [{ level: 'rack', workers: 16 }] },
      'spec.placement.segments[0].workers: segment of 16 workers of 8 GPUs cannot fit a rack: the largest rack has room for 12',
    ],
    [
      'a gang larger than every domain of a required level',
      { workers: 13, gpusPerWorker: 5, constraints: required('rack') },
      'spec.placement.constraints[0].level: 13 workers of 5 GPUs cannot fit one rack: the largest rack has room for 12',
    ],
    [
      'a gang whose segments leave no room in the required level',
      { workers: 15, gpusPerWorker: 8, constraints: required('zone'), segments: [{ level: 'rack', workers: 5 }] },
      'spec.placement.constraints[0].level: 15 workers of 8 GPUs cannot fit one zone: the largest zone has room for 10 as segments and spread divide it',
    ],
    [
      'a spread that leaves no room in the required level',
      { workers: 13, constraints: required('rack'), spread: { level: 'node', max: 1 } },
      'spec.placement.constraints[0].level: 13 workers of 1 GPUs cannot fit one rack: the largest rack has room for 12 as segments and spread divide it',
    ],
    [
      'more parts of GPUs than a node has',
      { workers: 17, gpuShareMilli: 400, constraints: required('node') },
      'spec.placement.constraints[0].level: 17 workers of 400m of a GPU cannot fit one node: the largest node has room for 16',
    ],
    ['a deadline that has passed', { deadlineMs: 5_000 }, 'spec.deadline: 1970-01-01T00:00:05Z has passed'],
  ])('%s', (_, changes, want) => {
    expect(answer(changes)).toBe(`INVALID_ARGUMENT ${want}`);
  });
});

describe('taken, and waits', () => {
  test.each<[string, Partial<JobSpec>]>([
    ['a gang larger than the cluster: nodes may come', { workers: 100, gpusPerWorker: 8 }],
    ['a model that no node has yet', { gpuModels: ['B200'], gpusPerWorker: 72 }],
    [
      'a preferred level that is too small',
      { workers: 15, gpusPerWorker: 8, constraints: [{ level: 'rack', mode: 'preferred', waitMs: 1 }] },
    ],
    ['a worker without GPUs', { gpusPerWorker: 0, workers: 500, constraints: required('node') }],
  ])('%s', (_, changes) => {
    expect(answer(changes)).toBe('applied');
  });

  test('everything in a cluster without nodes', () => {
    expect(answer({ gpusPerWorker: 64, constraints: required('rack'), workers: 99 }, [])).toBe('applied');
  });

  test('what a lost and a cordoned node had room for', () => {
    const cluster = new FakeCluster([
      { name: 'n1', rack: 'r1', gpus: 8 },
      { name: 'n2', rack: 'r1', gpus: 2 },
    ]);
    cluster.step([
      { kind: 'nodeSilent', node: nodeName('n1'), silentMs: 9_000 },
      { kind: 'cordonNode', node: nodeName('n2'), user: userName('bob'), reason: '', drain: false },
    ]);
    expect(cluster.step([applyJob('a', { gpusPerWorker: 8 })])[0]).toMatchObject({ kind: 'applied' });
  });

  test('what fits since a node came', () => {
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
    expect(cluster.step([applyJob('a', { gpusPerWorker: 4 })])[0]).toMatchObject({ kind: 'refused' });
    cluster.join({ name: 'n2', rack: 'r1', gpus: 4 });
    expect(cluster.step([applyJob('a', { gpusPerWorker: 4 })])[0]).toMatchObject({ kind: 'applied' });
  });
});

test('a job that exists is not judged by the cluster of today', () => {
  const cluster = new FakeCluster([]);
  cluster.step([applyJob('a', { gpusPerWorker: 4 })]);
  cluster.join({ name: 'n1', rack: 'r1', gpus: 2 });
  expect(cluster.step([applyJob('a', { gpusPerWorker: 4 }), applyJob('a', { gpusPerWorker: 4, priority: 1 })])).toMatchObject([
    { outcome: 'unchanged' },
    { outcome: 'configured' },
  ]);
});

test('what is refused as never fitting one rack has no rack for it, and what is taken has one', () => {
  const anyNodes = fc.array(fc.record({ rack: fc.constantFrom('r1', 'r2', 'r3'), gpus: fc.integer({ min: 1, max: 8 }) }), { minLength: 1 });
  fc.assert(
    fc.property(anyNodes, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 12 }), (nodes, gpusPerWorker, workers) => {
      const shapes = nodes.map((node, index) => ({ ...node, name: `n${index}` }));
      const room = new Map<string, number>();
      for (const { rack, gpus } of nodes) room.set(rack, (room.get(rack) ?? 0) + Math.floor(gpus / gpusPerWorker));
      const fits = Math.max(...room.values()) >= workers;
      expect(answer({ workers, gpusPerWorker, constraints: required('rack') }, shapes) === 'applied').toBe(fits);
    }),
    { numRuns: cases(100) },
  );
});
