import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { beginStory, liveSecond } from '#test/simulation/story.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { step } from '../step.ts';
import { forkState } from './fork.ts';
import { printSnapshot } from './snapshot.ts';

/** Everything of a state but for its lists of changes, which a fork begins anew. */
const whole = (state: object): unknown => ({ ...state, changedNodes: null, changedWaiting: null });

test('a fork is as the state was, indices and all, and what happens in it does not happen in the state', () => {
  for (let seed = 1; seed <= cases(25); seed += 1) {
    const { cluster, random } = beginStory(seed);
    for (let second = 0; second < 40; second += 1) liveSecond(cluster, random, second);
    const { state } = cluster;
    const [fork, kept] = [forkState(state), forkState(state)];
    expect(whole(fork), `seed ${seed}`).toEqual(whole(state));
    // The story goes on with the fork in the place of the state: the same cluster, agents and all.
    Object.assign(cluster, { state: fork });
    for (let second = 40; second < 70; second += 1) liveSecond(cluster, random, second);
    expect(whole(fork), `seed ${seed}`).not.toEqual(whole(state));
    // Had they a piece in common that changed, it would have changed in one of these only.
    expect(whole(state), `seed ${seed}`).toEqual(whole(kept));
    expect(printSnapshot(state)).toBe(printSnapshot(kept));
  }
});

test('a fork and the state decide the same', () => {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
  cluster.step([applyJob('a', { workers: 3, gpusPerWorker: 4 })]);
  const [left, right] = [forkState(cluster.state), forkState(cluster.state)];
  const context = { nowMs: cluster.nowMs, policy };
  expect(step(left, [applyJob('b', { workers: 2 })], context)).toEqual(step(right, [applyJob('b', { workers: 2 })], context));
  expect(left.pending).toEqual([]);
  expect(cluster.state.jobs.size).toBe(1);
});
