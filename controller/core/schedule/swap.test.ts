import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';

const node = (name: string, rack: string, gpus = 2, model = 'H100') => ({ name, rack, gpus, model });

/** A gang of three nodes runs; what `fault` does to it is over when its second attempt stands, or it waits. */
function after(cluster: FakeCluster, fault: () => void): readonly string[] {
  cluster.until('the gang runs', () => cluster.job('a').attempts.at(-1)?.stage.kind === 'running');
  fault();
  cluster.until('the first attempt has ended', () => cluster.job('a').attempts[0]?.end !== null);
  return cluster.placements();
}

const lose = (cluster: FakeCluster, name: string): void => void cluster.cut.add(cluster.agent(name));

describe('after a fault of the machine', () => {
  test('only the worker of the lost node moves, and the ranks keep their order', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1'), node('n3', 'r1'), node('n4', 'r1')]);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2 })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n2:0,1 n3:0,1']);
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n1:0,1 n4:0,1 n3:0,1']);
  });

  test('the spare is taken from the rack of the others, not from where a new worker would go', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    cluster.join(node('n3', 'r1', 4));
    cluster.join(node('n4', 'r2', 2));
    expect(after(cluster, () => lose(cluster, 'n1'))).toEqual(['a n3:0,1 n2:0,1']);
  });

  test('the sick GPU’s worker moves; its neighbour on the same node stays', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 4), node('n2', 'r1', 2)]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n1:2,3']);
    expect(after(cluster, () => cluster.agent('n1').setHealth(1, false))).toEqual(['a n2:0,1 n1:2,3']);
  });

  test('the whole gang moves when the rest of its rack has no room and the level is required', () => {
    const shapes = ['n1', 'n2', 'n3'].map((name) => node(name, 'r1')).concat(['n4', 'n5', 'n6', 'n7'].map((name) => node(name, 'r2')));
    const cluster = new FakeCluster(shapes);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2, constraints: [{ level: 'rack', mode: 'required', waitMs: null }] })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n2:0,1 n3:0,1']);
    expect(after(cluster, () => lose(cluster, 'n3'))).toEqual(['a n4:0,1 n5:0,1 n6:0,1']);
  });

  test('a wider circle is taken for the broken one when no level is required', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1'), node('n3', 'r2')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n1:0,1 n3:0,1']);
  });

  test('nobody starts alone: without a spare the gang waits, whole', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a waits: 2 x 2 GPUs wanted on H100; 1 of 2 workers fit now (2 GPUs free)']);
  });

  test('the gang stays on its GPU model, also when another one comes before it by name', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1'), node('n3', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    cluster.join(node('n4', 'r1', 8, 'A100'));
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n1:0,1 n3:0,1']);
    expect(cluster.job('a').attempts.at(-1)?.model).toBe('H100');
  });

  test('models are not mixed when the one that it ran on has no room: the gang goes to the other, whole', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    cluster.join(node('n4', 'r1', 8, 'A100'));
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n4:0,1 n4:2,3']);
    expect(cluster.job('a').attempts.at(-1)?.model).toBe('A100');
  });

  test('a segment whose rack has no room for its broken worker moves whole; the other segments keep their places', () => {
    const names = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
    const cluster = new FakeCluster(names.map((name, at) => node(name, `r${Math.floor(at / 2)}`)));
    cluster.step([applyJob('a', { workers: 4, gpusPerWorker: 2, segments: [{ level: 'rack', workers: 2 }] })]);
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n5:0,1 n6:0,1 n3:0,1 n4:0,1']);
  });

  test('several fail at once, and each is replaced beside what is left of its segment', () => {
    const names = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
    const cluster = new FakeCluster(names.map((name, at) => node(name, `r${Math.floor(at / 3)}`)));
    cluster.step([applyJob('a', { workers: 4, gpusPerWorker: 2, segments: [{ level: 'rack', workers: 2 }] })]);
    expect(cluster.placements()).toEqual(['a n1:0,1 n2:0,1 n4:0,1 n5:0,1']);
    const lost = after(cluster, () => {
      lose(cluster, 'n5');
      lose(cluster, 'n1');
    });
    expect(lost).toEqual(['a n3:0,1 n2:0,1 n4:0,1 n6:0,1']);
  });

  test('a gang with a spread, and one that wants its racks for itself, keep their sound workers too', () => {
    for (const wish of [{ spread: { level: 'rack', max: 1 } }, { exclusive: 'rack' }]) {
      const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r2'), node('n3', 'r2'), node('n4', 'r3', 4)]);
      cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2, spread: { level: 'rack', max: 1 }, ...wish })]);
      const [before] = cluster.placements();
      expect(before).toBe('a n1:0,1 n2:0,1');
      expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n1:0,1 n3:0,1']);
    }
  });

  test('a preferred level is not waited for again: the gang has run without it', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r2'), node('n3', 'r2')]);
    const constraints = [{ level: 'rack', mode: 'preferred' as const, waitMs: 60_000 }];
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2, constraints })]);
    cluster.join(node('n4', 'r3'));
    for (let second = 0; second < 61; second += 1) cluster.tick({ total: 1e6, saveEvery: 5 });
    expect(cluster.placements()[0]).toMatch(/^a n/);
    expect(after(cluster, () => lose(cluster, 'n3'))).toEqual(['a n2:0,1 n4:0,1 n1:0,1']);
  });

  test('a node that the job avoids since is not kept', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1'), node('n3', 'r1'), node('n4', 'r1')]);
    const spec = { workers: 2, gpusPerWorker: 2 };
    cluster.step([applyJob('a', spec)]);
    cluster.until('the gang runs', () => cluster.job('a').attempts.at(-1)?.stage.kind === 'running');
    cluster.step([applyJob('a', { ...spec, avoidNodes: ['n1'] })]);
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a n3:0,1 n4:0,1']);
  });

  test('is told: who was replaced by what, and how many keep their place; nobody is charged', () => {
    const cluster = new FakeCluster([node('n1', 'r1', 4), node('n2', 'r1'), node('n3', 'r1')]);
    cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 2 })]);
    const told = () => cluster.view.recent.filter(({ reason }) => reason === 'Placed').map(({ message }) => message);
    after(cluster, () => lose(cluster, 'n2'));
    expect(told().at(-1)).toBe('attempt 2: worker 2: n2 → n3; 2 keep their place; from the start');
    expect(cluster.job('a').attempts[0]?.end).toMatchObject({ reasons: ['NodeFailure'], charged: false });
    expect(cluster.job('a').restarts).toEqual({ applicationAtMs: [], infrastructure: 1, preemption: 0 });
  });

  test('what a fault stopped goes before older jobs of its priority that have not run', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('old', { workers: 3, gpusPerWorker: 2 }), applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    after(cluster, () => lose(cluster, 'n2'));
    cluster.join(node('n3', 'r1'));
    expect(cluster.placements()).toEqual(['a n1:0,1 n3:0,1', expect.stringMatching(/^old waits/)]);
  });

  test('a queue’s limit binds the way back too', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1'), node('n3', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    cluster.limit('default', { H100: 3 });
    expect(after(cluster, () => lose(cluster, 'n2'))).toEqual(['a waits: queue default may hold 3 H100 GPUs, holds 0; 4 more wanted']);
  });
});

describe('after anything else the gang is placed anew', () => {
  test('a drained gang leaves its sound workers’ places too', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
    cluster.join(node('n3', 'r2', 4));
    const moved = after(
      cluster,
      () => void cluster.step([{ kind: 'cordonNode', node: cluster.agent('n2').name, user: userName('bob'), reason: '', drain: true }]),
    );
    expect(moved).toEqual(['a n3:0,1 n3:2,3']);
  });

  test('an application failure sends the gang to the tightest place there is now', () => {
    const cluster = new FakeCluster([node('n1', 'r1'), node('n2', 'r1')]);
    cluster.step([applyJob('a', { workers: 2, gpusPerWorker: 2, restarts: { max: 1, withinMs: null } })]);
    cluster.join(node('n3', 'r1', 4));
    expect(after(cluster, () => cluster.agent('n1').crashOne('uid-a/1/0', 1))).toEqual(['a n3:0,1 n3:2,3']);
  });
});
