import { describe, expect, test } from 'vitest';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobUid, nodeName } from '#vocabulary/ids.ts';
import { findBrokenPromises } from './invariants.ts';
import type { AttemptRecord, JobRecord, State } from './state/state.ts';

/** Two gangs run and one waits; then somebody breaks the state by hand. */
function broken(breakIt: (state: State, job: JobRecord, attempt: AttemptRecord) => void): readonly string[] {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 1, gpus: 2 });
  cluster.step([
    applyJob('a', { workers: 2, constraints: [{ level: 'rack', mode: 'required', waitMs: null }] }),
    applyJob('b', { workers: 2 }),
    applyJob('c', { workers: 9 }),
  ]);
  const job = cluster.state.jobs.get(jobUid('uid-a'));
  const attempt = job?.attempts[0];
  if (job === undefined || attempt === undefined) throw new Error('a does not run');
  expect(findBrokenPromises(cluster.view, policy)).toEqual([]);
  breakIt(cluster.state, job, attempt);
  return findBrokenPromises(cluster.view, policy);
}

const place = (node: string, gpus: readonly number[]) => ({ node: nodeName(node), gpus });

describe('the checker finds', () => {
  test('a GPU in two placements', () => {
    expect(
      broken((_state, job, attempt) => Object.assign(job.attempts, [{ ...attempt, placement: [place('n21', [0]), place('n21', [1])] }])),
    ).toContain('GPU n21/0 is given away more than once: uid-a 1000, uid-b 1000');
  });

  test('an index of holds that differs from the placements', () => {
    expect(
      broken((state) => Object.assign(state.nodes.get(nodeName('n11')) ?? {}, { holds: [[], [{ job: jobUid('uid-a'), milli: 1000 }]] })),
    ).toContain('GPU n11/0: index says nobody, placements say uid-a 1000');
  });

  test('half a gang', () => {
    const found = broken((_state, job, attempt) => Object.assign(job.attempts, [{ ...attempt, placement: [place('n11', [0])] }]));
    expect(found).toContain('job a: 1 of 2 workers are placed');
  });

  test('a worker with another number of GPUs', () => {
    const found = broken((_state, job, attempt) =>
      Object.assign(job.attempts, [{ ...attempt, placement: [place('n11', [0, 1]), place('n11', [])] }]),
    );
    expect(found).toContain('job a: a worker has another number of GPUs than 1');
  });

  test('a gang outside of its level', () => {
    const found = broken((_state, job, attempt) =>
      Object.assign(job.attempts, [{ ...attempt, placement: [place('n11', [0]), place('n21', [1])] }]),
    );
    expect(found).toContain('job a must be inside one rack and is in z1/b1/r1, z1/b1/r2');
  });

  test('a gang with mixed GPU models', () => {
    expect(broken((_state, job, attempt) => Object.assign(job.attempts, [{ ...attempt, model: 'A100' }]))).toContain(
      'job a runs on A100, and GPU 0 of n11 is H100',
    );
  });

  test('attempts that are not in order, or older ones that have not ended', () => {
    const found = broken((_state, job, attempt) => job.attempts.unshift({ ...attempt, number: 7 }));
    expect(found).toEqual(expect.arrayContaining(['job a: attempts are not numbered in order', 'job a: an older attempt has not ended']));
  });

  test('a waiting job that no pass would look at', () => {
    expect(broken((state) => state.pending.pop())).toEqual(['the list of waiting jobs differs from the jobs that wait']);
  });

  test('a ledger that does not sum up', () => {
    expect(broken((state) => (state.ledger.capacity += 5n))).toEqual(['ledger: categories sum to 0, capacity is 5']);
  });
});
