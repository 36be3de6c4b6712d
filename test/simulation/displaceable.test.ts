import { expect, test } from 'vitest';
import { applyJob, disturb, FakeCluster } from './fakeCluster.ts';
import { createRandom } from '#sim/random.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { lowestDisplaceable } from '#core/jobs/displaceable.ts';

const counts = (index: Iterable<readonly [number, number]>): readonly (readonly [number, number])[] =>
  [...index].sort(([left], [right]) => left - right);

/** From the records alone. */
function fresh({ view }: FakeCluster): readonly (readonly [number, number])[] {
  const running = [...view.jobs.values()].filter((job) => job.phase.kind === 'active' && job.spec.preemptible);
  return counts([...Map.groupBy(running, (job) => job.spec.priority)].map(([priority, jobs]) => [priority, jobs.length] as const));
}

test('the count of running jobs that may be asked to leave is right whatever happens, and after a recovery', () => {
  const random = createRandom(5);
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 3, gpus: 4 });
  let most = 0;
  for (let turn = 0; turn < 200; turn += 1) {
    const name = `j${random.below(12)}`;
    const changes = { gpusPerWorker: 2, priority: 10 * random.below(3), preemptible: random.chance(0.7) };
    if (random.chance(0.4)) cluster.step([applyJob(name, changes)]);
    else if (random.chance(0.3))
      cluster.step([{ kind: 'prioritizeJob', name: jobName(name), user: userName('bob'), priority: random.below(100) }]);
    else if (random.chance(0.2)) cluster.step([{ kind: 'deleteJob', name: jobName(name), user: userName('bob'), now: random.chance(0.5) }]);
    else if (random.chance(0.5)) disturb(cluster, random);
    cluster.tick();
    expect(counts(cluster.view.displaceable)).toEqual(fresh(cluster));
    most = Math.max(most, cluster.view.displaceable.size);
  }
  expect(most).toBeGreaterThan(2);
  expect(counts(restoreSnapshot(parseSnapshot(printSnapshot(cluster.view))).displaceable)).toEqual(fresh(cluster));
});

test('the lowest priority of them is told, and that there is nobody', () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
  cluster.step([applyJob('firm', { priority: 5, preemptible: false })]);
  expect(lowestDisplaceable(cluster.view)).toBeNull();
  cluster.step([applyJob('high', { priority: 60 }), applyJob('low', { priority: 20 })]);
  expect(lowestDisplaceable(cluster.view)).toBe(20);
});
