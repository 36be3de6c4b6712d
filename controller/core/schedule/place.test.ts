import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { nodeName, userName } from '#vocabulary/ids.ts';

const inside = (level: string) => ({ constraints: [{ level, mode: 'required' as const, waitMs: null }] });
const cordon = (name: string) => ({ kind: 'cordonNode' as const, node: nodeName(name), user: userName('bob'), reason: '', drain: false });
const node = (name: string, rack: string, gpus: number) => ({ name, rack, gpus });

describe('a gang goes where it fits tightest', () => {
  test('one node before several', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 2), node('n2', 'r1', 2), node('n3', 'r1', 4)]);
    cluster.step([applyJob('a', { workers: 4 })]);
    expect(cluster.placements()).toEqual(['a n3:0 n3:1 n3:2 n3:3']);
  });

  test('one rack before two', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 2), node('n2', 'r2', 2), node('n3', 'r2', 2), node('n4', 'r3', 2)]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    expect(cluster.placements()).toEqual(['a n2:0,1 n3:0,1']);
  });

  test('one block before two, when no rack holds it', () => {
    const cluster = new FakeCluster([
      { ...node('n1', 'r1', 4), block: 'b1' },
      { ...node('n2', 'r1', 4), block: 'b2' },
      { ...node('n3', 'r2', 4), block: 'b2' },
    ]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 4 })]);
    expect(cluster.placements()).toEqual(['a n2:0,1,2,3 n3:0,1,2,3']);
  });

  test('the fuller node is filled, so that a big hole lives for the gang that needs it', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 8), node('n2', 'r1', 4)]);
    cluster.step([applyJob('small', { gpusPerWorker: 2 }), applyJob('big', { gpusPerWorker: 8 })]);
    expect(cluster.placements()).toEqual(['big n1:0,1,2,3,4,5,6,7', 'small n2:0,1']);
  });

  test('the rest of a gang that needs several nodes goes to the node with the least room that holds it', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 8), node('n2', 'r1', 8), node('n3', 'r1', 2)]);
    cluster.step([applyJob('a', { workers: 5, gpusPerWorker: 2 })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n1:2,3 n1:4,5 n1:6,7 n3:0,1']);
  });

  test('of equal domains the first by name is taken, whatever the order in which nodes joined', () => {
    const shapes = [node('n3', 'r2', 2), node('n1', 'r1', 2), node('n2', 'r1', 2)];
    for (const order of [shapes, shapes.toReversed()]) {
      const cluster = new FakeCluster(order);
      cluster.step([applyJob('a', { workers: 2 })]);
      expect(cluster.placements()).toEqual(['a n1:0 n1:1']);
    }
  });
});

describe('a required level', () => {
  const twoRacks = [node('n1', 'r1', 2), node('n2', 'r1', 2), node('n3', 'r2', 2)];

  test('is kept though the gang would fit outside of it', () => {
    const cluster = new FakeCluster(twoRacks);
    cluster.step([cordon('n2'), applyJob('a', { workers: 2, gpusPerWorker: 2, ...inside('rack') })]);
    expect(cluster.placements()).toEqual(['a waits: 2 x 2 GPUs wanted inside one rack; the best rack has room for 1 workers now']);
  });

  test('of one node means one node', () => {
    const cluster = new FakeCluster([...twoRacks, node('n4', 'r2', 3)]);
    cluster.step([cordon('n4'), applyJob('fits', { workers: 2, ...inside('node') }), applyJob('waits', { workers: 3, ...inside('node') })]);
    expect(cluster.placements()).toEqual([
      'fits n1:0 n1:1',
      'waits waits: 3 x 1 GPUs wanted inside one node; the best node has room for 2 workers now',
    ]);
  });

  test('the innermost of several binds', () => {
    const cluster = new FakeCluster(twoRacks);
    const constraints = [{ level: 'zone', mode: 'required' as const, waitMs: null }, ...inside('rack').constraints];
    cluster.step([cordon('n2'), applyJob('a', { workers: 2, gpusPerWorker: 2, constraints })]);
    expect(cluster.placements()).toEqual(['a waits: 2 x 2 GPUs wanted inside one rack; the best rack has room for 1 workers now']);
  });

  test('that is only preferred does not hold a gang back', () => {
    const cluster = new FakeCluster(twoRacks);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2, constraints: [{ level: 'rack', mode: 'preferred', waitMs: null }] })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n2:0,1 n3:0,1']);
  });
});

describe('GPUs of one worker', () => {
  test('are of one NVLink domain when one has room, the one with the least', () => {
    const cluster = new FakeCluster([{ ...node('n1', 'r1', 8), nvlink: [0, 0, 0, 0, 1, 1, 1, 1] }]);
    cluster.step([applyJob('a', { gpusPerWorker: 3 })]);
    cluster.step([applyJob('b', { gpusPerWorker: 1 })]);
    cluster.step([applyJob('c', { gpusPerWorker: 4 })]);
    expect(cluster.placements()).toEqual(['a n1:0,1,2', 'b n1:3', 'c n1:4,5,6,7']);
  });

  test('stay together also where the domains are interleaved', () => {
    const cluster = new FakeCluster([{ ...node('n1', 'r1', 6), nvlink: [0, 1, 0, 2, 1, 2] }]);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2 })]);
    expect(cluster.placements()).toEqual(['a n1:0,2 n1:1,4 n1:3,5']);
  });

  test('cross domains when none has room, taking from the largest first', () => {
    const cluster = new FakeCluster([{ ...node('n1', 'r1', 5), nvlink: [0, 0, 1, 1, 1] }]);
    cluster.step([applyJob('a', { gpusPerWorker: 4 })]);
    expect(cluster.placements()).toEqual(['a n1:0,2,3,4']);
  });
});

describe('what is not free', () => {
  test('a cordoned node, a lost node and a sick GPU are given to nobody', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 2), node('n2', 'r1', 2), node('n3', 'r1', 2)]);
    cluster.agent('n3').setHealth(0, false);
    cluster.step([
      { kind: 'cordonNode', node: nodeName('n1'), user: userName('bob'), reason: '', drain: false },
      { kind: 'nodeSilent', node: nodeName('n2'), silentMs: 9_000 },
      { kind: 'report', node: nodeName('n3'), report: cluster.agent('n3').report() },
      applyJob('a'),
      applyJob('b'),
    ]);
    expect(cluster.placements()).toEqual(['a n3:1', 'b waits: 1 x 1 GPUs wanted on H100; 0 of 1 workers fit now (0 GPUs free)']);
  });

  test('a waiting job starts when a node is let in again, without being asked for', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 1)]);
    cluster.step([{ kind: 'cordonNode', node: nodeName('n1'), user: userName('bob'), reason: '', drain: false }, applyJob('a')]);
    cluster.step([{ kind: 'uncordonNode', node: nodeName('n1'), user: userName('bob') }]);
    expect(cluster.placements()).toEqual(['a n1:0']);
  });

  test('fragments of several nodes are no place for a worker', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 3), node('n2', 'r1', 3)]);
    cluster.step([
      applyJob('a', { workers: 1, gpusPerWorker: 2 }),
      applyJob('b', { workers: 1, gpusPerWorker: 2 }),
      applyJob('c', { gpusPerWorker: 2 }),
    ]);
    expect(cluster.placements()).toEqual([
      'a n1:0,1',
      'b n2:0,1',
      'c waits: 1 x 2 GPUs wanted on H100; 0 of 1 workers fit now (2 GPUs free)',
    ]);
  });
});

describe('a job without GPUs', () => {
  test('goes to a node that takes work, in one place when it can', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 0), node('n2', 'r1', 0)]);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 0 })]);
    expect(cluster.placements()).toEqual(['a n1 n1 n1']);
  });

  test('waits when no node takes work', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 2)]);
    cluster.step([
      { kind: 'cordonNode', node: nodeName('n1'), user: userName('bob'), reason: '', drain: false },
      applyJob('a', { gpusPerWorker: 0 }),
    ]);
    expect(cluster.placements()).toEqual(['a waits: 1 x 0 GPUs wanted; 0 of 1 workers fit now (0 GPUs free)']);
  });
});
