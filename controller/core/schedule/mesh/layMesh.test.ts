import { parseSnapshot } from '#controller/loop/logLine.ts';
import { describe, expect, test } from 'vitest';
import { desiredFor } from '#core/desired.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { JobSpec, Mesh } from '#vocabulary/job.ts';
import { meshCoordinates } from '#vocabulary/job.ts';
import { jobName, nodeName, userName } from '#vocabulary/ids.ts';
import { totalMicros } from '#vocabulary/meshRecord.ts';

/** `racks`: nodes of two GPUs in each; node n21 is the first of rack r2. */
const clusterOf = (...racks: readonly number[]): FakeCluster =>
  new FakeCluster(
    racks.flatMap((count, rack) =>
      Array.from({ length: count }, (_, at) => ({ name: `n${rack + 1}${at + 1}`, rack: `r${rack + 1}`, gpus: 2, nvlink: [0, 0] })),
    ),
  );

const meshOf = (sizes: Readonly<Record<string, number>>): Mesh =>
  (['pipeline', 'data', 'context', 'expert', 'tensor'] as const).flatMap((axis) => {
    const size = sizes[axis];
    return size === undefined ? [] : [{ axis, size }];
  });

/** A gang of workers of two GPUs. */
function apply(cluster: FakeCluster, name: string, sizes: Readonly<Record<string, number>>, changes: Partial<JobSpec> = {}): void {
  const mesh = meshOf(sizes);
  const workers = mesh.reduce((product, { size }) => product * size, 1) / 2;
  cluster.step([applyJob(name, { workers, gpusPerWorker: 2, mesh, ...changes })]);
}

const attempt = (cluster: FakeCluster, name = 'a') => cluster.job(name).attempts.at(-1);
const nodesOf = (cluster: FakeCluster, name = 'a'): string =>
  attempt(cluster, name)
    ?.placement.map(({ node }) => node)
    .join(' ') ?? '';
const orderOf = (cluster: FakeCluster, name = 'a'): string => attempt(cluster, name)?.mesh?.order.join(' ') ?? 'none';

describe('where a mesh goes', () => {
  test('its groups are whole in racks, where packing alone would cut one', () => {
    const cluster = clusterOf(5, 3, 3);
    apply(cluster, 'a', { data: 2, expert: 6 });
    expect(nodesOf(cluster)).toBe('n11 n12 n13 n21 n22 n23');
    const record = attempt(cluster)?.mesh;
    expect(totalMicros(record ?? { costs: [] })).toBeLessThan(record?.packedMicros ?? 0);
    expect(totalMicros(record ?? { costs: [] })).toBeLessThan(record?.randomMicros ?? 0);
  });

  test('it starts where its groups have to be cut, rather than wait', () => {
    const cluster = clusterOf(2, 2, 2);
    apply(cluster, 'a', { data: 2, expert: 6 });
    expect(nodesOf(cluster).split(' ').sort().join(' ')).toBe('n11 n12 n21 n22 n31 n32');
  });

  test('a gang without a mesh is placed as before, and has no record', () => {
    const cluster = clusterOf(5, 3, 3);
    cluster.step([applyJob('a', { workers: 6, gpusPerWorker: 2 })]);
    expect([nodesOf(cluster), orderOf(cluster)]).toEqual(['n11 n12 n13 n14 n15 n21', 'none']);
  });

  test('a scenario that says where says in which order too', () => {
    const cluster = clusterOf(2, 2);
    cluster.step([
      applyJob('a', { workers: 2, gpusPerWorker: 2, mesh: meshOf({ data: 4 }) }),
      { kind: 'placeJob', name: jobName('a'), places: [nodeName('n21'), nodeName('n11')].map((node) => ({ node, workers: 1 })) },
    ]);
    expect([nodesOf(cluster), orderOf(cluster)]).toEqual(['n21 n11', 'data']);
  });
});

describe('the order of the axes', () => {
  const sizes = { data: 4, expert: 2 };
  const heavyData = { traffic: { data: 2 ** 40, expert: 2 ** 20 } };

  test('is the customary one, and where the user gives bytes the one that they ask for', () => {
    const cluster = clusterOf(2, 2, 2, 2);
    apply(cluster, 'a', sizes);
    apply(cluster, 'b', sizes, heavyData);
    expect([orderOf(cluster), orderOf(cluster, 'b')]).toEqual(['data expert', 'expert data']);
  });

  test('is the customary one beside segments of the user, who counted by it', () => {
    const cluster = clusterOf(2, 2);
    apply(cluster, 'a', sizes, { ...heavyData, segments: [{ level: 'rack', workers: 2 }] });
    expect(orderOf(cluster)).toBe('data expert');
  });

  test("is the user's, if he says so", () => {
    const cluster = clusterOf(2, 2);
    const mesh = meshOf(sizes).toReversed();
    apply(cluster, 'a', sizes, { mesh, axisOrder: ['expert', 'data'] });
    expect(orderOf(cluster)).toBe('expert data');
  });

  test('stays the same for all attempts, since ranks find under their number what they saved', () => {
    const cluster = clusterOf(2, 2, 4);
    apply(cluster, 'a', sizes, heavyData);
    expect(orderOf(cluster)).toBe('expert data');
    const before = cluster.state.jobs.get(cluster.job('a').uid);
    // As if the user had asked for it the other way round: no matter.
    if (before !== undefined) before.spec = { ...before.spec, traffic: {} };
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: userName('u') }]);
    cluster.until('it is suspended', () => cluster.job('a').phase.kind === 'suspended');
    cluster.step([{ kind: 'resumeJob', name: jobName('a'), user: userName('u') }]);
    expect([cluster.job('a').attempts.length, orderOf(cluster)]).toEqual([2, 'expert data']);
  });

  test('of a job that ran before orders were chosen is the one that it had', () => {
    const cluster = clusterOf(2, 2, 4);
    apply(cluster, 'a', sizes, heavyData);
    const job = cluster.state.jobs.get(cluster.job('a').uid);
    if (job !== undefined) job.attempts = job.attempts.map((one) => ({ ...one, mesh: null }));
    cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: userName('u') }]);
    cluster.until('it is suspended', () => cluster.job('a').phase.kind === 'suspended');
    cluster.step([{ kind: 'resumeJob', name: jobName('a'), user: userName('u') }]);
    expect([cluster.job('a').attempts.length, orderOf(cluster)]).toEqual([2, 'data expert']);
  });

  test('is what agents are told, rank by rank, and what a snapshot and the log keep', () => {
    const cluster = clusterOf(2, 2);
    apply(cluster, 'a', sizes, heavyData);
    const told = cluster.agents.flatMap((agent) => desiredFor(cluster.view, agent.name).workers);
    const coordinates = told
      .toSorted((left, right) => left.id.worker - right.id.worker)
      .map(({ launch, id }) => Object.entries(Object.fromEntries(meshCoordinates(launch.mesh, id.worker * 2))).join(' '));
    // Data varies fastest: the two GPUs of a worker are neighbours along it.
    expect(coordinates).toEqual(['data,0 expert,0', 'data,2 expert,0', 'data,0 expert,1', 'data,2 expert,1']);
    const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
    expect(restored.jobs.get(cluster.job('a').uid)?.attempts[0]?.mesh).toEqual(attempt(cluster)?.mesh);
    expect(cluster.replay()).toBe(printSnapshot(cluster.view));
  });
});

test('after a fault of a node the others keep their nodes and their numbers', () => {
  const cluster = clusterOf(4, 4, 4);
  apply(cluster, 'a', { data: 2, expert: 6 });
  cluster.until('it runs', () => cluster.job('a').progress !== null);
  const before = nodesOf(cluster).split(' ');
  const lost = cluster.agent(before[4] ?? '');
  lost.powerOff();
  cluster.cut.add(lost);
  cluster.until('it runs again', () => cluster.job('a').attempts.length === 2 && attempt(cluster)?.stage.kind === 'running');
  const after = nodesOf(cluster).split(' ');
  expect(after.filter((node, worker) => node !== before[worker]).length).toBe(1);
  expect(orderOf(cluster)).toBe('data expert');
});
