import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { isAllowedSize } from '#vocabulary/elastic.ts';
import { queueName } from '#vocabulary/ids.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';

const sizeIn = (cluster: FakeCluster, name: string): number => cluster.job(name).attempts.at(-1)?.placement.length ?? 0;
const elastic = (minWorkers: number, maxWorkers: number): Pick<JobSpec, 'elastic'> => ({ elastic: { minWorkers, maxWorkers } });

/** Old enough to be asked; nothing saved, nothing reported. */
function ripen(cluster: FakeCluster): void {
  cluster.tick();
  cluster.tick();
  cluster.sleep(61_000);
}

/** What the last plan asked of whom: `sweep to 6` workers, or `gang to leave`. */
function askedBy(cluster: FakeCluster, name: string): readonly string[] {
  const nominated = cluster.log.findLast((event) => event.kind === 'JobNominated' && event.uid === cluster.job(name).uid);
  if (nominated?.kind !== 'JobNominated') return [];
  const nameOf = (uid: string): string => uid.replace('uid-', '');
  return nominated.victims.map((uid) => {
    const move = nominated.moves?.find((each) => each.uid === uid);
    return move === undefined ? `${nameOf(uid)} to leave` : `${nameOf(uid)} to ${move.placement.length}`;
  });
}

describe('who is asked', () => {
  test('what elastic jobs can do without comes before any gang, whatever their priorities are', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyJob('gang', { workers: 4, priority: 10 }), applyJob('sweep', { workers: 4, priority: 90, ...elastic(1, 4) })]);
    ripen(cluster);
    cluster.step([applyJob('urgent', { workers: 2, priority: 50 }, 'bob')]);
    expect(askedBy(cluster, 'urgent')).toEqual(['sweep to 2']);
  });

  test('and of it no more than is needed: what is free, and what leaves anyway, counts', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyJob('other', {}), applyJob('sweep', { workers: 7, ...elastic(1, 7) })]);
    ripen(cluster);
    cluster.step([{ kind: 'suspendJob', name: cluster.job('other').name, user: cluster.job('other').user }]);
    cluster.step([applyJob('wide', { workers: 3 }, 'bob')]);
    expect(askedBy(cluster, 'wide')).toEqual(['other to leave', 'sweep to 5']);
  });

  test('where it is not enough, it is given beside a gang that leaves', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyJob('gang', { workers: 4, priority: 10 }), applyJob('sweep', { workers: 4, priority: 10, ...elastic(2, 4) })]);
    ripen(cluster);
    cluster.step([applyJob('urgent', { workers: 6, priority: 50 }, 'bob')]);
    expect(askedBy(cluster, 'urgent')).toEqual(['gang to leave', 'sweep to 2']);
  });

  test('nobody below its guarantee: what the queue is owed it keeps from others, and gives to its own', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyQueue('owed', { guaranteed: { H100: 6 } })]);
    cluster.step([applyJob('sweep', { queue: queueName('owed'), workers: 8, ...elastic(1, 8) })]);
    ripen(cluster);
    cluster.step([applyJob('others', { workers: 3 }, 'bob')]);
    expect(askedBy(cluster, 'others')).toEqual([]);
    cluster.step([applyJob('two', { workers: 2 }, 'bob')]);
    expect(askedBy(cluster, 'two')).toEqual(['sweep to 6']);
    cluster.step([applyJob('own', { queue: queueName('owed'), workers: 3 }, 'carol')]);
    expect(askedBy(cluster, 'own')).toEqual(['sweep to 3']);
  });

  test('a full limit is a shortage like full nodes: who is below it gives, though there are free GPUs', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyQueue('tight', { limit: { H100: 4 } })]);
    cluster.step([
      applyJob('sweep', { queue: queueName('tight'), workers: 4, ...elastic(1, 4) }),
      applyJob('other', { workers: 2, ...elastic(1, 2) }),
    ]);
    ripen(cluster);
    cluster.step([applyJob('next', { queue: queueName('tight'), workers: 2 }, 'bob')]);
    expect(askedBy(cluster, 'next')).toEqual(['sweep to 2']);
  });

  test('no service gives to batch jobs, and every batch job gives to a service', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyQueue('chat', { class: 'serving' })]);
    const serving = { queue: queueName('chat') };
    cluster.step([applyJob('service', { ...serving, workers: 4, ...elastic(1, 4) }), applyJob('sweep', { workers: 4, ...elastic(1, 4) })]);
    ripen(cluster);
    cluster.step([applyJob('batch', { workers: 4 }, 'bob')]);
    expect(askedBy(cluster, 'batch')).not.toContain('service to 1');
    cluster.step([applyJob('unit', { ...serving, workers: 3 }, 'carol')]);
    expect(askedBy(cluster, 'unit')).toEqual(['sweep to 1']);
  });

  test('not before it has stood for as long as a restart takes, nor before its minRuntime; then at once', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
    cluster.step([applyJob('sweep', { workers: 4, minRuntimeMs: 100_000, ...elastic(1, 4) })]);
    cluster.tick();
    cluster.step([applyJob('small', {}, 'bob')]);
    for (let second = 0; second < 97; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    expect(askedBy(cluster, 'small')).toEqual([]);
    for (let second = 0; second < 3; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    expect(askedBy(cluster, 'small')).toEqual(['sweep to 3']);
  });

  test('not one that could not start again where it stands: a node of its is cordoned', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyJob('sweep', { workers: 8, ...elastic(1, 8) })]);
    ripen(cluster);
    cluster.step([{ kind: 'cordonNode', node: cluster.agent('n11').name, user: cluster.job('sweep').user, reason: '', drain: false }]);
    cluster.step([applyJob('small', {}, 'bob')]);
    expect(askedBy(cluster, 'small')).toEqual([]);
  });
});

describe('who was asked', () => {
  test('runs on when the nominee is gone, but for what another one waits for', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
    cluster.step([applyJob('sweep', { workers: 8, ...elastic(1, 8) })]);
    for (let second = 0; second < 63; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    cluster.step([applyJob('one', {}, 'bob'), applyJob('two', { workers: 2 }, 'carol')]);
    expect(askedBy(cluster, 'two')).toEqual(['sweep to 5']);
    const { name, user } = cluster.job('one');
    cluster.step([{ kind: 'deleteJob', name, user, now: true }]);
    expect(cluster.log.some((event) => event.kind === 'SuspendCancelled')).toBe(false);
    cluster.step([{ kind: 'deleteJob', name: cluster.job('two').name, user, now: true }]);
    expect(cluster.log.some((event) => event.kind === 'SuspendCancelled')).toBe(true);
    for (let second = 0; second < 5; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    expect(sizeIn(cluster, 'sweep')).toBe(8);
    expect(cluster.job('sweep').attempts.length).toBe(1);
    expect(cluster.job('sweep').move).toBeNull();
  });

  test('is displaced as a whole by whom it yields to, though it was about to grow', () => {
    const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 }, { growAfterIdleMs: 0, growRestMs: 0 });
    cluster.step([applyJob('sweep', { workers: 4, priority: 10, ...elastic(4, 8) })]);
    for (let second = 0; second < 3; second += 1) cluster.tick({ total: 1_000, saveEvery: 10 });
    cluster.state.scheduleDirty = true;
    cluster.step([]);
    expect(cluster.job('sweep').move).toMatchObject({ kind: 'asked', gang: null });
    cluster.step([applyJob('urgent', { workers: 8, priority: 90 }, 'bob')]);
    expect(askedBy(cluster, 'urgent')).toEqual(['sweep to leave']);
    cluster.until('it has left', () => cluster.job('sweep').phase.kind === 'pending', 10);
    expect(cluster.job('sweep').attempts[0]?.end?.reasons).toEqual(['Preempted']);
    expect(cluster.placements().join('\n')).toContain('urgent n');
  });
});

test('a time is known of a gang for which surplus makes room later, and those behind it stay out of it', () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
  cluster.step([
    applyJob('sweep', { workers: 4, ...elastic(1, 4) }),
    applyJob('busy', { workers: 3, maxRuntimeMs: 300_000, preemptible: false }),
  ]);
  ripen(cluster);
  cluster.step([applyJob('wide', { workers: 7 }, 'bob')]);
  expect(cluster.placements().join('\n')).toContain('wide waits: 7 x 1 GPUs reserved from');
  cluster.step([applyJob('zlate', {}, 'carol')]);
  expect(cluster.placements().join('\n')).toContain('zlate waits');
});

test('of any cluster full of elastic jobs: who gives keeps an allowed size, and one group less from any of them would not do', () => {
  const jobs = fc.array(fc.record({ workers: fc.integer({ min: 1, max: 6 }), least: fc.integer({ min: 1, max: 4 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  let asked = 0;
  fc.assert(
    fc.property(jobs, fc.integer({ min: 1, max: 6 }), fc.constantFrom(1, 2), (running, workers, gpusPerWorker) => {
      const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
      for (const [index, job] of running.entries())
        cluster.step([applyJob(`e${index}`, { workers: job.workers, ...elastic(Math.min(job.least, job.workers), 8) })]);
      cluster.step([applyJob('rest', { workers: 16, preemptible: false, ...elastic(1, 16) })]);
      ripen(cluster);
      cluster.step([applyJob('new', { workers, gpusPerWorker }, 'bob')]);
      const pending = [...cluster.view.jobs.values()].flatMap(({ nomination }) => nomination ?? []);
      if (pending.length === 0) return;
      asked += 1;
      const count = (places: Placement): ReadonlyMap<string, number> => {
        const gpus = new Map<string, number>();
        for (const place of places) gpus.set(place.node, (gpus.get(place.node) ?? 0) + place.gpus.length);
        return gpus;
      };
      const taken = count(pending.flatMap(({ placement }) => placement));
      const given = count(
        [...cluster.view.jobs.values()].flatMap(({ attempts, move, spec }) => {
          if (move?.kind !== 'asked') return [];
          expect(isAllowedSize(spec, move.placement.length)).toBe(true);
          return (attempts.at(-1)?.placement ?? []).filter((place) => !move.placement.includes(place));
        }),
      );
      // Without one group less on a node there would be too little for those who were promised it.
      for (const [node, gpus] of given) expect(gpus, node).toBeLessThanOrEqual(taken.get(node) ?? 0);
    }),
    { numRuns: cases(150) },
  );
  expect(asked).toBeGreaterThan(10);
});
