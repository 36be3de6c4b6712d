import { expect, test } from 'vitest';
import { defaultPolicy } from '#controller/limits.ts';
import { printLine } from '#controller/loop/logLine.ts';
import { step } from '#core/step.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import type { Revision } from '#vocabulary/ids.ts';
import type { Moment } from './questions.ts';
import type { LogSource } from './workbench.ts';
import { Workbench } from './workbench.ts';

/** The log of a cluster in memory, in pages of 7; lines up to `droppedUpTo` are gone. */
function sourceOf(cluster: FakeCluster): LogSource & { asked: string[]; droppedUpTo: number; snapshotBody: string | null } {
  return {
    asked: [],
    droppedUpTo: 0,
    snapshotBody: null,
    async snapshot() {
      this.asked.push('snapshot');
      return this.snapshotBody;
    },
    async lines(after: Revision) {
      this.asked.push(`after ${after}`);
      if (after < this.droppedUpTo) throw new Error('gone');
      return cluster.log.slice(after, after + 7).map(printLine);
    },
  };
}

const momentOf = ({ state, nowMs }: FakeCluster): Moment => ({ revision: state.revision, nowMs, movesFromMs: 0 });
/** Without what is only told to people, of which a workbench keeps nothing. */
const factsOf = (state: FakeCluster['view']): string => printSnapshot({ ...state, recent: [] });

test('a fork is the state of the moment, and those after it are not touched by what is played on it', async () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 4 });
  const workbench = new Workbench(sourceOf(cluster), defaultPolicy);
  for (let round = 0; round < 4; round += 1) {
    cluster.step([applyJob(`j${round}`, { gpusPerWorker: 3 })]);
    const fork = await workbench.fork(momentOf(cluster));
    expect(factsOf(fork), `round ${round}`).toBe(factsOf(cluster.state));
    step(fork, [applyJob('other', { gpusPerWorker: 4 })], { nowMs: cluster.nowMs, policy });
    if (round % 2 === 0) workbench.prepare(cluster.nowMs);
  }
});

test('only what is new is read, and a fork of an older moment is as of a later one', async () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
  const source = sourceOf(cluster);
  const workbench = new Workbench(source, defaultPolicy);
  const old = momentOf(cluster);
  cluster.step([applyJob('a')]);
  await workbench.fork(momentOf(cluster));
  source.asked.length = 0;
  expect((await workbench.fork(old)).revision).toBe(cluster.state.revision);
  expect(source.asked).toEqual([]);
  const { revision } = cluster.state;
  cluster.step([applyJob('b')]);
  const forks = await Promise.all([workbench.fork(momentOf(cluster)), workbench.fork(momentOf(cluster))]);
  expect(source.asked).toEqual([`after ${revision}`]);
  expect(forks.map(factsOf)).toEqual([factsOf(cluster.state), factsOf(cluster.state)]);
});

test('when the lines after it are gone it begins anew with the snapshot; a log that ends too early is no answer', async () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
  const source = sourceOf(cluster);
  const workbench = new Workbench(source, defaultPolicy);
  await workbench.fork(momentOf(cluster));
  cluster.step([applyJob('a')]);
  source.snapshotBody = printSnapshot(cluster.state);
  source.droppedUpTo = cluster.state.revision;
  cluster.step([applyJob('b')]);
  expect(factsOf(await workbench.fork(momentOf(cluster)))).toBe(factsOf(cluster.state));
  const later = { ...momentOf(cluster), revision: momentOf(cluster).revision };
  cluster.step([applyJob('c')]);
  const tooLate = { ...later, revision: momentOf(cluster).revision };
  cluster.log.pop();
  await expect(workbench.fork(tooLate)).rejects.toThrow(/^the log ends at revision \d+, before \d+$/);
  expect((await workbench.fork(later)).revision).toBe(tooLate.revision - 1);
});
