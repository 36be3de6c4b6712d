import { describe, expect, test } from 'vitest';
import { defaultPolicy } from '#controller/limits.ts';
import type { SparePolicy } from '#core/context.ts';
import { FakeCluster, applyJob, onNodes, reserve } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';

const endless = { total: 1e9, saveEvery: 2 };
const node = (name: string, rack: string, gpus = 2, model = 'H100') => ({ name, rack, gpus, model });
const racks = (count: number, nodes: number) =>
  Array.from({ length: count * nodes }, (_, at) =>
    node(`n${Math.floor(at / nodes) + 1}${(at % nodes) + 1}`, `r${Math.floor(at / nodes) + 1}`),
  );

function clusterOf(shapes: ReturnType<typeof racks>, changes: Partial<SparePolicy> = {}): FakeCluster {
  return new FakeCluster(shapes, { spares: { ...defaultPolicy.spares, ...changes } });
}

const gang = (workers: number, changes: Partial<JobSpec> = {}): Partial<JobSpec> => ({ workers, gpusPerWorker: 2, ...changes });
/** `n12 for job a`. */
const spares = (cluster: FakeCluster): readonly string[] =>
  [...cluster.view.nodes.values()].flatMap(({ name, spare }) => {
    if (spare === null) return [];
    const whose =
      spare.kind === 'job' ? `job ${cluster.view.jobs.get(spare.uid)?.name}` : spare.kind === 'pool' ? spare.domain : spare.kind;
    return [`${name} for ${whose}`];
  });
const tick = (cluster: FakeCluster, seconds: number): void => {
  for (let second = 0; second < seconds; second += 1) cluster.tick(endless);
};
const end = (cluster: FakeCluster, name: string): void => {
  cluster.step([{ kind: 'deleteJob', name: cluster.job(name).name, user: userName('bob'), now: true }]);
  tick(cluster, 3);
};

describe('the spares of a job', () => {
  test('stand beside its segments, those with the most workers first, and are no room for others', () => {
    const cluster = clusterOf(racks(3, 4));
    cluster.step([applyJob('a', gang(6, { segments: [{ level: 'rack', workers: 3 }], spares: 2 }))]);
    expect(cluster.placements()).toEqual(['a n11:0,1 n12:0,1 n13:0,1 n21:0,1 n22:0,1 n23:0,1']);
    expect(spares(cluster)).toEqual(['n14 for job a', 'n24 for job a']);
    cluster.step([applyJob('b', gang(5, { preemptible: false }))]);
    expect(cluster.placements()[1]).toBe('b waits: 5 x 2 GPUs wanted on H100; 4 of 5 workers fit now (8 GPUs free, 4 more are spare)');
  });

  test('are as many as there are where they help: a segment is not mended from another rack', () => {
    const cluster = clusterOf(racks(2, 4));
    cluster.step([applyJob('a', gang(4, { segments: [{ level: 'rack', workers: 4 }], spares: 2 }))]);
    expect(spares(cluster)).toEqual([]);
    cluster.step([applyJob('b', gang(2, { spares: 1 }))]);
    expect(spares(cluster)).toEqual(['n24 for job b']);
  });

  test('count against no limit', () => {
    const cluster = clusterOf(racks(1, 4));
    cluster.limit('default', { H100: 4 });
    cluster.step([applyJob('a', gang(2, { spares: 2 }))]);
    expect(cluster.placements()).toEqual(['a n11:0,1 n12:0,1']);
    expect(spares(cluster)).toHaveLength(2);
  });

  test('change with what it asks for, and end with it', () => {
    const cluster = clusterOf(racks(1, 5));
    cluster.step([applyJob('a', gang(2))]);
    for (const [wanted, want] of [
      [2, ['n14 for job a', 'n15 for job a']],
      [1, ['n15 for job a']],
    ] as const) {
      cluster.step([applyJob('a', gang(2, { spares: wanted }))]);
      expect(spares(cluster)).toEqual(want);
    }
    tick(cluster, 2);
    cluster.step([{ kind: 'suspendJob', name: cluster.job('a').name, user: userName('bob') }]);
    tick(cluster, 6);
    expect(cluster.job('a').phase.kind).toBe('suspended');
    expect(spares(cluster)).toEqual([]);
  });

  test('come from a rack that has no segment less without them, before one with fewer free nodes', () => {
    for (const [segmentNodes, want] of [
      [1, 'n22'],
      [2, 'n13'],
    ] as const) {
      const large = [...racks(1, 3), node('n21', 'r2'), node('n22', 'r2')].map((shape) => ({ ...shape, gpus: 4 }));
      const cluster = clusterOf([...large, node('n31', 'r3')], { segmentNodes });
      cluster.step([applyJob('a', gang(1, { spares: 1 }))]);
      expect([cluster.placements()[0], ...spares(cluster)]).toEqual(['a n31:0,1', `${want} for job a`]);
    }
  });

  test('of a lost node another one is chosen', () => {
    const cluster = clusterOf(racks(1, 4));
    cluster.step([applyJob('a', gang(2, { spares: 1 }))]);
    expect(spares(cluster)).toEqual(['n14 for job a']);
    cluster.step([{ kind: 'cordonNode', node: cluster.agent('n14').name, user: userName('bob'), reason: '', drain: false }]);
    expect(spares(cluster)).toEqual(['n13 for job a']);
    cluster.agent('n13').setHealth(0, false);
    tick(cluster, 1);
    expect(spares(cluster)).toEqual([]);
  });

  test('of another job help nobody else', () => {
    const cluster = clusterOf(racks(1, 4));
    cluster.step([applyJob('a', gang(1, { spares: 1 })), applyJob('b', gang(2, { preemptible: false }))]);
    tick(cluster, 2);
    cluster.cut.add(cluster.agent('n13'));
    tick(cluster, 12);
    expect(cluster.placements()[1]).toMatch(/^b waits/);
  });
});

describe('a pool', () => {
  test('is in each domain of the level, from the rack with the fewest free nodes, on nodes of the common model', () => {
    const cluster = clusterOf([...racks(2, 3), node('n31', 'r3', 2, 'A100')], { level: 'block', nodes: 1 });
    end(cluster, applied(cluster, 'x', gang(1)));
    expect(spares(cluster)).toHaveLength(1);
    expect(spares(cluster)[0]).toMatch(/^n[12]\d for z1\/b1$/);
  });

  test('is used before an ordinary node that is farther away', () => {
    const cluster = clusterOf(racks(2, 3), { level: 'rack', nodes: 1 });
    cluster.step([applyJob('a', gang(2, { preemptible: false }))]);
    expect([cluster.placements()[0], ...spares(cluster)]).toEqual(['a n12:0,1 n13:0,1', 'n11 for z1/b1/r1', 'n21 for z1/b1/r2']);
    tick(cluster, 2);
    cluster.cut.add(cluster.agent('n13'));
    tick(cluster, 12);
    expect(cluster.placements()).toEqual(['a n12:0,1 n11:0,1']);
  });

  test('leaves room for whole segments: of a rack of five with segments of four, one node; of four, all', () => {
    for (const [nodes, want] of [
      [5, 1],
      [4, 4],
    ] as const)
      expect(spares(clusterOf(racks(1, nodes), { level: 'rack', nodes: 1, segmentNodes: 4 }))).toHaveLength(want);
  });

  test('that lost its node takes the next one that becomes free, before those who wait', () => {
    const cluster = clusterOf(racks(1, 2), { level: 'rack', nodes: 1 });
    const firm = gang(1, { preemptible: false });
    cluster.step([applyJob('a', firm), applyJob('b', firm)]);
    expect(spares(cluster)).toEqual(['n11 for z1/b1/r1']);
    cluster.cut.add(cluster.agent('n11'));
    tick(cluster, 10);
    expect(spares(cluster)).toEqual([]);
    end(cluster, 'a');
    expect(spares(cluster)).toEqual(['n12 for z1/b1/r1']);
    expect(cluster.placements()[0]).toMatch(/^b waits/);
  });
});

test('a node that is reserved is no spare any more, and is open to those for whom it is reserved', () => {
  const cluster = clusterOf(racks(1, 2), { level: 'rack', nodes: 1 });
  expect(spares(cluster)).toEqual(['n11 for z1/b1/r1']);
  cluster.step([reserve('demo', { nodes: onNodes('n11'), users: [userName('bob')], duration: 600 })]);
  tick(cluster, 2);
  expect(spares(cluster)).toEqual(['n12 for z1/b1/r1']);
  cluster.step([applyJob('b', gang(1, { preemptible: false }), 'bob')]);
  expect(cluster.placements()).toEqual(['b n11:0,1']);
});

describe('a spare by label', () => {
  test('is kept for every gang that breaks', () => {
    const cluster = new FakeCluster(racks(1, 2));
    cluster.join({ ...node('n13', 'r1'), labels: { 'shoal.dev/spare': 'true' } });
    cluster.step([applyJob('a', gang(2, { preemptible: false }))]);
    expect(spares(cluster)).toEqual(['n13 for label']);
    tick(cluster, 2);
    cluster.cut.add(cluster.agent('n11'));
    tick(cluster, 12);
    expect(cluster.placements()).toEqual(['a n13:0,1 n12:0,1']);
  });
});

describe('lending', () => {
  test.each<[string, Partial<JobSpec>, boolean]>([
    ['small preemptible work', {}, true],
    ['work that must not be asked to leave', { preemptible: false }, false],
    ['work with a least run time', { minRuntimeMs: 60_000 }, false],
    ['a gang of two nodes', { workers: 2 }, false],
    ['a job that wants the node for itself', { exclusive: 'node' }, false],
  ])('%s', (_, changes, isLent) => {
    const cluster = clusterOf(racks(1, 2), { level: 'rack', nodes: 2 });
    cluster.step([applyJob('a', gang(1, changes))]);
    expect(cluster.placements()[0]?.startsWith('a waits')).toBe(!isLent);
    expect(spares(cluster)).toHaveLength(2);
  });

  test('never a node of a domain that somebody has for himself', () => {
    const cluster = clusterOf(racks(1, 3), { level: 'rack', nodes: 1 });
    cluster.step([applyJob('alone', gang(1, { exclusive: 'rack' }))]);
    cluster.step([applyJob('a', gang(1))]);
    expect(spares(cluster)).toHaveLength(1);
    expect(cluster.placements()[0]).toMatch(/^a waits/);
  });

  test('a job that a reservation kept waiting borrows the spare that is chosen after it was looked at', () => {
    const cluster = clusterOf(racks(1, 4));
    cluster.step([
      applyJob('all', { workers: 7 }),
      applyJob('first', { workers: 2, gpusPerWorker: 1, priority: 22, maxRuntimeMs: 1_000_000 }),
      applyJob('pair', { gpusPerWorker: 2 }),
      applyJob('small', { spares: 1 }),
    ]);
    for (let pass = 0; cluster.more && pass < 10; pass += 1) cluster.step([]);
    const before = cluster.log.length;
    cluster.state.scheduleDirty = true;
    cluster.step([]);
    expect(cluster.log.slice(before)).toEqual([]);
  });

  test('ordinary nodes come first', () => {
    const cluster = clusterOf(racks(1, 2), { level: 'rack', nodes: 1 });
    cluster.step([applyJob('a', gang(1)), applyJob('b', gang(1))]);
    expect(spares(cluster)).toEqual(['n11 for z1/b1/r1']);
    expect(cluster.placements()).toEqual(['a n12:0,1', 'b n11:0,1']);
  });

  test('who is asked back leaves within the shorter grace, and is not asked when a free node mends the gang', () => {
    for (const free of [0, 1]) {
      const cluster = clusterOf(racks(1, 3 + free), { level: 'rack', nodes: 1, graceMs: 2_000 });
      cluster.step([
        applyJob('a', gang(2, { preemptible: false })),
        ...(free === 1 ? [applyJob('x', gang(1, { preemptible: false }))] : []),
        applyJob('b', gang(1)),
      ]);
      if (free === 1) end(cluster, 'x');
      tick(cluster, 2);
      cluster.cut.add(cluster.agents.find(({ name }) => name === cluster.job('a').attempts[0]?.placement[0]?.node) ?? cluster.agent('n11'));
      tick(cluster, 16);
      const asked = cluster.log.flatMap((event) => (event.kind === 'SuspendStaged' && event.stage.kind === 'ask' ? [event.graceMs] : []));
      expect(asked).toEqual(free === 0 ? [2_000] : []);
      expect(cluster.job('a').phase.kind).toBe('active');
      expect(cluster.job('a').attempts).toHaveLength(2);
    }
  });
});

/** Applied, and told by its name. */
function applied(cluster: FakeCluster, name: string, spec: Partial<JobSpec>): string {
  cluster.step([applyJob(name, spec)]);
  return name;
}
