import { describe, expect, test } from 'vitest';
import type { Reply } from '#core/inputs.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, jobUid, queueName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';

const small = (): FakeCluster => new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 2 });
const bob = userName('bob');
const suspend = (name: string) => ({ kind: 'suspendJob' as const, name: jobName(name), user: bob });
const resume = (name: string) => ({ kind: 'resumeJob' as const, name: jobName(name), user: bob });
const remove = (name: string, now = false) => ({ kind: 'deleteJob' as const, name: jobName(name), user: bob, now });

const print = (reply: Reply | undefined): string => {
  if (reply?.kind === 'refused') return `${reply.code} ${reply.field}: ${reply.message}`;
  if (reply?.kind === 'applied') return reply.outcome;
  return reply?.kind === 'changed' ? `changed ${reply.changed}` : 'noted';
};
const ask = (cluster: FakeCluster, ...inputs: Parameters<FakeCluster['step']>[0]): readonly string[] => cluster.step(inputs).map(print);

describe('applying a job', () => {
  test('that is refused changes nothing', () => {
    const cluster = small();
    const before = cluster.log.length;
    expect(
      ask(
        cluster,
        applyJob('a', { queue: queueName('deafult') }),
        applyJob('b', {
          constraints: [
            { level: 'zone', mode: 'required', waitMs: null },
            { level: 'row', mode: 'preferred', waitMs: null },
          ],
        }),
      ),
    ).toEqual([
      'INVALID_ARGUMENT spec.queue: queue "deafult" does not exist; did you mean "default"? (queues: default)',
      'INVALID_ARGUMENT spec.placement.constraints[1].level: level "row" is not one of this cluster\'s: zone, block, rack, node',
    ]);
    expect(cluster.log.length).toBe(before);
  });

  test.each<[string, Partial<JobSpec>]>([
    ['queue', { queue: queueName('other') }],
    ['gpuModel', { gpuModels: ['H100'] }],
    ['workers', { workers: 2 }],
    ['gpusPerWorker', { gpusPerWorker: 2 }],
    ['processesPerWorker', { processesPerWorker: 'gpu' }],
    ['mesh', { mesh: [{ axis: 'data', size: 1 }] }],
    ['placement.constraints', { constraints: [{ level: 'rack', mode: 'required', waitMs: null }] }],
    ['checkpoint', { checkpoint: null }],
    ['template', { template: { command: ['other'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null } }],
  ])('again with another %s is refused by the field’s name', (field, changes) => {
    const cluster = small();
    cluster.step([applyQueue('other'), applyJob('a')]);
    expect(ask(cluster, applyJob('a', changes))[0]).toMatch(
      new RegExp(`^ALREADY_EXISTS spec\\.${field}: job a has been placed and its ${field} cannot change any more`),
    );
  });

  test('as long as it was never placed it may become another gang, keeps its age, and is judged like a new one', () => {
    const cluster = small();
    cluster.step([applyJob('blocker', { preemptible: false }), applyJob('a', { workers: 5 }), applyJob('b', { workers: 5 })]);
    const { createdAtMs } = cluster.job('a');
    expect(ask(cluster, applyJob('a', { gpusPerWorker: 99 }))[0]).toMatch(
      /^INVALID_ARGUMENT spec\.gpusPerWorker: a worker of 99 GPUs cannot fit a node/,
    );
    expect(ask(cluster, applyJob('a', { workers: 4, gpuModels: ['H100'] }))).toEqual(['configured']);
    expect(cluster.job('a')).toMatchObject({ createdAtMs, spec: { workers: 4 } });
    expect(cluster.replay()).toBe(printSnapshot(cluster.state));
  });

  test('another gang is not what victims were asked to leave for: they run on', () => {
    const cluster = small();
    cluster.step([applyJob('victim', { gpusPerWorker: 2 })]);
    for (let second = 0; second < 3; second += 1) cluster.tick();
    cluster.step([applyJob('a', { gpusPerWorker: 2, priority: 50 })]);
    expect(cluster.job('a').nomination).not.toBeNull();
    expect(ask(cluster, applyJob('a', { gpusPerWorker: 2, priority: 50, gpuModels: ['B200'] }))).toEqual(['configured']);
    expect(cluster.job('a').nomination).toBeNull();
    expect(cluster.job('victim').attempts.at(-1)?.stage.kind).toBe('running');
  });

  test.each<[string, Partial<JobSpec>]>([
    ['priority', { priority: 99 }],
    ['preemptible', { preemptible: false }],
    ['restarts', { restarts: { max: 3, withinMs: null } }],
    ['maxRuntime', { maxRuntimeMs: 60_000 }],
  ])('again with another %s changes it, also while it runs', (_field, changes) => {
    const cluster = small();
    cluster.step([applyJob('a')]);
    cluster.tick();
    expect(ask(cluster, applyJob('a', changes), applyJob('a', changes))).toEqual(['configured', 'unchanged']);
    expect(cluster.job('a').spec).toMatchObject(changes);
    expect(cluster.job('a').attempts.length).toBe(1);
  });

  test('keeps the first uid; the second request’s own is not used', () => {
    const cluster = small();
    cluster.step([applyJob('a')]);
    const [reply] = cluster.step([{ ...applyJob('a', { priority: 3 }), uid: jobUid('another') }]);
    expect(reply).toMatchObject({ outcome: 'configured', uid: 'uid-a' });
  });

  test('is refused when the cluster keeps as many jobs as it may', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 }, { jobsMax: 2 });
    expect(ask(cluster, applyJob('a'), applyJob('b'), applyJob('c'), applyJob('a', { priority: 3 }))).toEqual([
      'created',
      'created',
      'RESOURCE_EXHAUSTED : the cluster keeps at most 2 jobs; delete finished ones',
      'configured',
    ]);
  });
});

describe('suspend, resume and delete', () => {
  test('of a job that is not there name one that is', () => {
    const cluster = small();
    cluster.step([applyJob('train')]);
    const want = 'NOT_FOUND : jobs "trian" not found; did you mean "train"?';
    expect(ask(cluster, suspend('trian'), resume('trian'), remove('trian'))).toEqual([want, want, want]);
    expect(ask(cluster, remove('something-else'))).toEqual(['NOT_FOUND : jobs "something-else" not found']);
  });

  test('say whether they changed anything', () => {
    const cluster = small();
    cluster.step([applyJob('a')]);
    cluster.tick();
    expect(ask(cluster, suspend('a'), suspend('a'), resume('a'), resume('a'), remove('a'), remove('a'))).toEqual([
      'changed true',
      'changed false',
      'changed true',
      'changed false',
      'changed true',
      'changed false',
    ]);
  });

  test('are refused of a job that is being deleted, or has finished', () => {
    const cluster = small();
    cluster.step([applyJob('a'), applyJob('b')]);
    cluster.until('b has ended', () => cluster.job('b').phase.kind === 'finished');
    cluster.step([applyJob('c')]);
    cluster.tick();
    cluster.step([remove('c')]);
    expect(ask(cluster, suspend('c'), resume('b'))).toEqual([
      'FAILED_PRECONDITION : job c is being deleted and cannot be suspended',
      'FAILED_PRECONDITION : job b has finished (Succeeded) and cannot be resumed',
    ]);
  });

  test('a name is free again when its job is gone, and the new job is another one', () => {
    const cluster = small();
    cluster.step([applyJob('a', { workers: 9 }), remove('a')]);
    const [reply] = cluster.step([{ ...applyJob('a'), uid: jobUid('second') }]);
    expect(reply).toMatchObject({ outcome: 'created', uid: 'second' });
  });

  test('delete now overtakes a delete that waits for a checkpoint', () => {
    const cluster = small();
    cluster.step([applyJob('a')]);
    cluster.tick();
    cluster.step([remove('a')]);
    expect(cluster.job('a').attempts[0]?.stage.kind).toBe('suspending');
    cluster.step([remove('a', true)]);
    expect(cluster.job('a').attempts[0]?.stage).toMatchObject({ kind: 'stopping', graceMs: 0 });
  });
});

describe('finished jobs', () => {
  test('beyond the number that is kept are removed, the oldest first', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 }, { finishedJobsMax: 2 });
    for (const name of ['a', 'b', 'c', 'd']) {
      cluster.step([applyJob(name)]);
      cluster.until(`${name} has ended`, () => cluster.job(name).phase.kind === 'finished');
    }
    cluster.tick();
    expect([...cluster.view.jobsByName.keys()]).toEqual(['c', 'd']);
  });

  test('that are few are kept, however many jobs wait', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 }, { finishedJobsMax: 2 });
    cluster.step([applyJob('a')]);
    cluster.until('a has ended', () => cluster.job('a').phase.kind === 'finished');
    cluster.step(['b', 'c', 'd', 'e'].map((name) => applyJob(name, { workers: 9 })));
    cluster.tick();
    expect(cluster.view.jobs.size).toBe(5);
  });
});
