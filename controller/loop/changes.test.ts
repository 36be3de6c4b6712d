import { describe, expect, test } from 'vitest';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { step as stepCore } from '#core/step.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import { Changes } from './changes.ts';
import { parseSnapshot } from './logLine.ts';

/** A cluster whose steps are told to `changes`, as the loop does it. */
function watched(max = 1_000): {
  readonly cluster: FakeCluster;
  readonly changes: Changes;
  step(inputs: Parameters<FakeCluster['step']>[0]): number;
} {
  const cluster = new FakeCluster([
    { name: 'n1', rack: 'r1', gpus: 2 },
    { name: 'n2', rack: 'r1', gpus: 2 },
  ]);
  const changes = new Changes(max, cluster.state.revision);
  const step = (inputs: Parameters<FakeCluster['step']>[0]): number => {
    const before = cluster.log.length;
    cluster.step(inputs);
    changes.add(cluster.view, cluster.log.slice(before));
    return cluster.state.revision;
  };
  return { cluster, changes, step };
}

describe('changes after a revision', () => {
  test('name each object once, the oldest change first', () => {
    const { cluster, changes, step } = watched();
    const from = cluster.state.revision;
    step([applyJob('a'), applyJob('b', { workers: 9 })]);
    step([applyJob('b', { workers: 9, priority: 5 })]);
    step([applyJob('c', { workers: 9 })]);
    expect(changes.after(from, 'TrainingJob')).toEqual(['a', 'b', 'c']);
  });

  test('are only those after it', () => {
    const { changes, step } = watched();
    const from = step([applyJob('a')]);
    step([applyJob('b')]);
    expect(changes.after(from, 'TrainingJob')).toEqual(['b']);
    const now = step([{ kind: 'tick' }]);
    expect(changes.after(now, 'TrainingJob')).toEqual([]);
  });

  test('tell of the nodes and GPUs that a gang came to, and of no others', () => {
    const { cluster, changes, step } = watched();
    const from = cluster.state.revision;
    step([applyJob('a')]);
    expect(changes.after(from, 'Node')).toEqual(['n1']);
    expect(changes.after(from, 'Gpu')).toEqual(['n1']);
    expect(changes.after(from, 'Queue')).toEqual(['default']);
  });

  test('tell of the nodes of each step alone, also when the state is another one after a recovery', () => {
    const { cluster, changes, step } = watched();
    const first = step([applyJob('a', { gpusPerWorker: 2 })]);
    const second = step([applyJob('b')]);
    expect(changes.after(first, 'Node')).toEqual(['n2']);
    const recovered = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
    const { events } = stepCore(recovered, [applyJob('c')], { nowMs: cluster.nowMs, policy });
    changes.add(recovered, events);
    expect(changes.after(second, 'Node')).toEqual(['n2']);
  });

  test('tell of a removed job by its name, and of its queue', () => {
    const { changes, step } = watched();
    const from = step([applyJob('a', { workers: 9 })]);
    step([{ kind: 'deleteJob', name: jobName('a'), user: userName('bob'), now: false }]);
    expect(changes.after(from, 'TrainingJob')).toEqual(['a']);
  });

  test('name events by their revision', () => {
    const { changes, step } = watched();
    const from = step([applyJob('a', { workers: 9 })]);
    const to = step([applyJob('b', { workers: 9 })]);
    expect(changes.after(from, 'Event')).toEqual([String(to)]);
  });

  test('are not known when they are too old: before the start, and after many others', () => {
    const { cluster, changes, step } = watched(8);
    const start = cluster.state.revision;
    expect(changes.after(start - 1, 'TrainingJob')).toBeNull();
    expect(changes.after(start, 'TrainingJob')).toEqual([]);
    for (let index = 0; index < 20; index += 1) step([applyJob(`j${index}`, { workers: 9 })]);
    expect(changes.after(start, 'TrainingJob')).toBeNull();
    expect(changes.completeAfter).toBeGreaterThan(start);
    const kept = changes.after(changes.completeAfter, 'TrainingJob') ?? [];
    expect(kept.at(-1)).toBe('j19');
    expect(kept.length).toBeGreaterThanOrEqual(2);
  });

  test('lose nothing between what is dropped and what is kept', () => {
    const { cluster, changes, step } = watched(6);
    const revisions = new Map<string, number>();
    for (let index = 0; index < 30; index += 1) revisions.set(`j${index}`, step([applyJob(`j${index}`, { workers: 9 })]));
    const from = changes.completeAfter;
    const want = [...revisions].filter(([, revision]) => revision > from).map(([name]) => name);
    expect(changes.after(from, 'TrainingJob')).toEqual(want);
    expect(from).toBeLessThan(cluster.state.revision);
  });
});
