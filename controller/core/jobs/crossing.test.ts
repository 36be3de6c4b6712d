import { parseSnapshot } from '#controller/loop/logLine.ts';
import { expect, test } from 'vitest';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { jobName, userName } from '#vocabulary/ids.ts';

/** Two zones of three nodes of one GPU: n11 to n13, and n21 to n23. */
const twoZones = (crossZoneJobsMax: number): FakeCluster =>
  new FakeCluster(
    [1, 2].flatMap((zone) => [1, 2, 3].map((node) => ({ name: `n${zone}${node}`, zone: `z${zone}`, rack: 'r1', gpus: 1 }))),
    { crossZoneJobsMax },
  );

const gang = (name: string, workers: number, changes: Partial<JobSpec> = {}) => applyJob(name, { workers, ...changes });

test('only so many gangs stand in several zones at a time; another one says so and waits for its zone', () => {
  const cluster = twoZones(1);
  cluster.step([gang('a', 4)]);
  cluster.step([gang('b', 2)]);
  expect(cluster.placements()).toEqual(['a n11:0 n12:0 n13:0 n21:0', 'b n22:0 n23:0']);
  cluster.step([{ kind: 'deleteJob', name: jobName('b'), user: userName('alice'), now: true }]);
  cluster.until('b is gone', () => cluster.state.jobs.size === 1);
  cluster.step([gang('c', 3)]);
  expect(cluster.placements()[1]).toBe('c waits: 3 x 1 GPUs wanted on H100; 2 of 3 workers fit now (2 GPUs free)');
});

test('as many as are allowed may', () => {
  const cluster = twoZones(1);
  // One GPU of each zone stays free.
  cluster.step([gang('left', 2), gang('right', 2)]);
  expect(cluster.placements()).toEqual(['left n11:0 n12:0', 'right n21:0 n22:0']);
  cluster.step([gang('over', 2)]);
  expect(cluster.placements()[1]).toBe('over n13:0 n23:0');
  expect([...cluster.state.crossing]).toEqual(['uid-over']);
});

test('none may where none is allowed, and it goes on when a zone has room', () => {
  const cluster = twoZones(0);
  cluster.step([gang('left', 2), gang('right', 2)]);
  cluster.step([gang('over', 2)]);
  expect(cluster.placements()[1]).toBe(
    'over waits: 2 x 1 GPUs wanted inside one zone; the best zone has room for 1 workers now (other jobs have the links between zones: crossZoneJobsMax)',
  );
  cluster.step([{ kind: 'deleteJob', name: jobName('right'), user: userName('alice'), now: true }]);
  cluster.until('it has started', () => cluster.job('over').phase.kind === 'active');
  expect(cluster.placements()[1]).toBe('over n21:0 n22:0');
});

test('when a gang that crosses ends, the next one may', () => {
  const cluster = twoZones(1);
  cluster.step([gang('a', 4, { preemptible: false })]);
  cluster.step([gang('b', 4)]);
  expect(cluster.placements()[1]).toMatch(/^b waits: 4 x 1 GPUs wanted/);
  cluster.step([{ kind: 'deleteJob', name: jobName('a'), user: userName('alice'), now: true }]);
  cluster.until('b has started', () => cluster.job('b').phase.kind === 'active');
  expect([...cluster.state.crossing]).toEqual(['uid-b']);
});

test('workers alone and workers without GPUs are not counted', () => {
  const cluster = twoZones(1);
  cluster.step([gang('cpu', 200, { gpusPerWorker: 0 }), gang('one', 1)]);
  expect([cluster.job('cpu').phase.kind, cluster.state.crossing.size]).toEqual(['active', 0]);
});

test('a snapshot knows who crosses', () => {
  const cluster = twoZones(1);
  cluster.step([gang('a', 4)]);
  expect([...restoreSnapshot(parseSnapshot(printSnapshot(cluster.view))).crossing]).toEqual(['uid-a']);
});
