import { expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { nodeName } from '#vocabulary/ids.ts';
import { desiredFor } from './desired.ts';

const cluster = (): FakeCluster =>
  new FakeCluster([
    { name: 'n1', rack: 'r1', gpus: 4 },
    { name: 'n2', rack: 'r1', gpus: 4 },
  ]);

test('a worker is told all that it needs to be started, and nothing has to be asked for', () => {
  const one = cluster();
  const template = { command: ['python', 'train.py'], env: { A: 'b' }, workingDirectory: '/data', cpuMilli: 500, memoryBytes: 1024 };
  const mesh = [
    { axis: 'data' as const, size: 2 },
    { axis: 'tensor' as const, size: 4 },
  ];
  one.step([
    applyJob('a', {
      workers: 2,
      gpusPerWorker: 4,
      processesPerWorker: 'gpu',
      mesh,
      template,
      checkpoint: { directory: '/ckpt', intervalMs: 60_000, graceMs: 1, keep: 3 },
    }),
  ]);
  const [worker] = desiredFor(one.view, nodeName('n2')).workers;
  expect(worker).toEqual({
    id: { job: 'uid-a', attempt: 1, worker: 1 },
    gpus: [0, 1, 2, 3],
    desire: { kind: 'run' },
    launch: {
      jobName: 'a',
      workers: 2,
      nodeRank: 1,
      firstRank: 4,
      processes: 4,
      worldSize: 8,
      gpusPerWorker: 4,
      gpuShareMilli: null,
      coordinatorAddress: '10.0.0.n1',
      coordinatorPort: one.job('a').attempts[0]?.coordinator.port,
      ...template,
      mesh,
      checkpoint: { directory: '/ckpt', resume: null, keep: 3, intervalMs: 60_000 },
    },
  });
});

test('all nodes of a gang are told the same rendezvous, and the next attempt another port', () => {
  const one = cluster();
  one.step([applyJob('a', { workers: 2, gpusPerWorker: 4, restarts: { max: 1, withinMs: null } })]);
  const portsOf = () => ['n1', 'n2'].map((name) => desiredFor(one.view, nodeName(name)).workers[0]?.launch.coordinatorPort);
  const [first, second] = portsOf();
  expect(first).toBe(second);
  one.tick();
  one.agent('n1').crashOne('uid-a/1/0', 1);
  one.until('the second attempt', () => one.job('a').attempts.length === 2);
  expect(portsOf()[0]).not.toBe(first);
  expect(new Set(portsOf()).size).toBe(1);
});

test('workers are in the order of their keys, and a set says which one it is', () => {
  const one = cluster();
  one.step([applyJob('b'), applyJob('a', { workers: 2 })]);
  const before = desiredFor(one.view, nodeName('n1'));
  expect(before.workers.map(({ id }) => `${id.job}/${id.worker}`)).toEqual(
    [...before.workers.map(({ id }) => `${id.job}/${id.worker}`)].sort(),
  );
  expect(before.epoch).toBe(1);
  one.step([applyJob('c')]);
  const after = [nodeName('n1'), nodeName('n2')].map((name) => desiredFor(one.view, name).generation);
  expect(after.some((generation) => generation > before.generation)).toBe(true);
});

test('a node that nobody knows is to hold nothing', () => {
  expect(desiredFor(cluster().view, nodeName('n9')).workers).toEqual([]);
});
