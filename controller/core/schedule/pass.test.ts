import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';

const node = (name: string, gpus: number, model = 'H100') => ({ name, rack: 'r1', gpus, model });

describe('the order of waiting jobs', () => {
  test('is priority first, then age', () => {
    const cluster = new FakeCluster([node('n1', 1)]);
    cluster.step([applyJob('running', { priority: 1, preemptible: false })]);
    for (const [name, priority] of [
      ['old', 20],
      ['young', 20],
      ['urgent', 90],
    ] as const) {
      cluster.nowMs += 1_000;
      cluster.step([applyJob(name, { priority })]);
    }
    const started: string[] = [];
    cluster.until('all have ended', () => {
      for (const job of cluster.view.jobs.values()) if (job.attempts.length > 0 && !started.includes(job.name)) started.push(job.name);
      return [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished');
    });
    expect(started).toEqual(['running', 'urgent', 'old', 'young']);
  });

  test('of jobs that came at once is their uid, not the order of the requests', () => {
    const cluster = new FakeCluster([node('n1', 1)]);
    cluster.step([applyJob('b'), applyJob('a')]);
    expect(cluster.placements()[0]).toBe('a n1:0');
  });

  test('goes on among users of lower priority when the last job of another one was given its place', () => {
    const cluster = new FakeCluster([node('n1', 2)]);
    const [urgent, a, b] = [applyJob('urgent', { priority: 50 }, 'carol'), applyJob('a', {}, 'alice'), applyJob('b', {}, 'bob')];
    cluster.step([urgent, a, b]);
    expect(cluster.placements().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['a n1:1', 'b waits:', 'urgent n1:0']);
  });

  test('changes with the priority of a job that waits', () => {
    const cluster = new FakeCluster([node('n1', 1)]);
    cluster.step([applyJob('running', { preemptible: false })]);
    cluster.step([applyJob('first', { priority: 50 }), applyJob('second', { priority: 40 })]);
    cluster.step([applyJob('second', { priority: 60 })]);
    cluster.until('one of them has started', () => !['first', 'second'].every((name) => cluster.job(name).phase.kind === 'pending'));
    expect(cluster.job('second').phase.kind).toBe('active');
  });

  test('does not let a job that does not fit hold up those behind it', () => {
    const cluster = new FakeCluster([node('n1', 2)]);
    cluster.step([applyJob('big', { workers: 3, priority: 90 }), applyJob('small', { workers: 2, priority: 1 })]);
    expect(cluster.placements()).toEqual(['big waits: 3 x 1 GPUs wanted on H100; 2 of 3 workers fit now (2 GPUs free)', 'small n1:0 n1:1']);
  });

  test('is the same for a job that comes back after its node was lost: it keeps its age', () => {
    const cluster = new FakeCluster([node('n1', 1), node('n2', 1)]);
    cluster.step([applyJob('old'), applyJob('other')]);
    cluster.tick();
    cluster.nowMs += 1_000;
    cluster.step([applyJob('young')]);
    cluster.step([{ kind: 'nodeSilent', node: cluster.agent('n1').name, silentMs: 9_000 }]);
    expect(cluster.placements()[0]).toMatch(/^old waits/);
    cluster.until('a job of the two has started', () => cluster.job('old').attempts.length > 1 || cluster.job('young').attempts.length > 0);
    expect(cluster.job('young').attempts).toEqual([]);
  });
});

describe('GPU models', () => {
  const cluster = (): FakeCluster => new FakeCluster([node('n1', 1, 'A100'), node('n2', 1, 'H100'), node('n3', 2, 'B200')]);

  test('are tried in the order of the wish', () => {
    const two = cluster();
    const gpuModels = ['H100', 'A100'];
    two.step([applyJob('a', { gpuModels }), applyJob('b', { gpuModels }), applyJob('c', { gpuModels })]);
    expect(two.placements()).toEqual(['a n2:0', 'b n1:0', 'c waits: 1 x 1 GPUs wanted on A100; 0 of 1 workers fit now (0 GPUs free)']);
  });

  test('are never mixed in one gang', () => {
    const mixed = cluster();
    mixed.step([applyJob('a', { workers: 3 })]);
    expect(mixed.placements()).toEqual(['a waits: 3 x 1 GPUs wanted on H100; 1 of 3 workers fit now (1 GPUs free)']);
    mixed.step([applyJob('b', { workers: 2 })]);
    expect(mixed.placements()[1]).toBe('b n3:0 n3:1');
  });

  test('that the cluster does not have are named beside those that it has', () => {
    const none = cluster();
    none.step([applyJob('a', { gpuModels: ['MI300X', 'TPU'] })]);
    expect(none.placements()).toEqual(['a waits: GPU model MI300X or TPU wanted; the cluster has A100, B200, H100']);
    const empty = new FakeCluster([]);
    empty.step([applyJob('a')]);
    expect(empty.placements()).toEqual(['a waits: GPUs wanted; the cluster has no GPUs']);
  });

  test('that come later let the waiting job start', () => {
    const late = new FakeCluster([node('n1', 1, 'A100')]);
    late.step([applyJob('a', { gpuModels: ['H100'] })]);
    late.join(node('n2', 1, 'H100'));
    expect(late.placements()).toEqual(['a n2:0']);
  });
});

describe('the limit of a pass', () => {
  const busy = (): FakeCluster => {
    const cluster = new FakeCluster([node('n1', 5)], { placementsPerStepMax: 2 });
    cluster.step(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => applyJob(name)));
    return cluster;
  };

  test('leaves the rest to the next pass, which is due at once', () => {
    const cluster = busy();
    const notLookedAt = 'waits: not looked at yet: the scheduling pass reached its limit; the next pass goes on';
    expect(cluster.placements()).toEqual([
      'a n1:4',
      'b n1:0',
      `c ${notLookedAt}`,
      `d ${notLookedAt}`,
      `e ${notLookedAt}`,
      `f ${notLookedAt}`,
    ]);
    expect(cluster.more).toBe(true);
  });

  test('comes to the same in the end', () => {
    const cluster = busy();
    for (let passes = 0; cluster.more; passes += 1) {
      if (passes > 5) throw new Error('it does not end');
      cluster.step([]);
    }
    expect(cluster.placements()).toEqual([
      'a n1:4',
      'b n1:0',
      'c n1:1',
      'd n1:2',
      'e n1:3',
      'f waits: 1 x 1 GPUs wanted on H100; 0 of 1 workers fit now (0 GPUs free)',
    ]);
  });

  test('is not said when exactly so many were placed', () => {
    const cluster = new FakeCluster([node('n1', 5)], { placementsPerStepMax: 2 });
    cluster.step([applyJob('a'), applyJob('b')]);
    expect(cluster.more).toBe(false);
  });
});

describe('what a waiting job is told', () => {
  test('follows the cluster: a node that was lost or cordoned is not counted any more', () => {
    const cluster = new FakeCluster([node('n1', 1), node('n2', 1), node('n3', 1)]);
    cluster.step([applyJob('a', { workers: 4 })]);
    expect(cluster.placements()).toEqual(['a waits: 4 x 1 GPUs wanted on H100; 3 of 4 workers fit now (3 GPUs free)']);
    cluster.step([{ kind: 'nodeSilent', node: cluster.agent('n1').name, silentMs: 9_000 }]);
    expect(cluster.placements()).toEqual(['a waits: 4 x 1 GPUs wanted on H100; 2 of 4 workers fit now (2 GPUs free)']);
    cluster.step([{ kind: 'cordonNode', node: cluster.agent('n2').name, user: userName('bob'), reason: '', drain: false }]);
    expect(cluster.placements()).toEqual(['a waits: 4 x 1 GPUs wanted on H100; 1 of 4 workers fit now (1 GPUs free)']);
  });

  test('is the same for every job of a shape, and no shape’s reason is given to another', () => {
    const cluster = new FakeCluster([node('n1', 1)]);
    cluster.step([
      applyJob('a', { workers: 2 }),
      applyJob('b', { workers: 2 }),
      applyJob('c', { workers: 3 }),
      applyJob('d', { gpuModels: ['A100'] }),
    ]);
    expect(cluster.placements()).toEqual([
      'a waits: 2 x 1 GPUs wanted on H100; 1 of 2 workers fit now (1 GPUs free)',
      'b waits: 2 x 1 GPUs wanted on H100; 1 of 2 workers fit now (1 GPUs free)',
      'c waits: 3 x 1 GPUs wanted on H100; 1 of 3 workers fit now (1 GPUs free)',
      'd waits: GPU model A100 wanted; the cluster has H100',
    ]);
  });
});

test('settled: another pass places nothing, and says the same', () => {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 2 });
  cluster.step([applyJob('a', { workers: 3 }), applyJob('c')]);
  cluster.step([applyJob('b', { workers: 9 })]);
  const [before, events] = [cluster.placements(), cluster.log.length];
  cluster.state.scheduleDirty = true;
  cluster.step([]);
  expect(cluster.placements()).toEqual(before);
  expect(cluster.log.length).toBe(events);
});
