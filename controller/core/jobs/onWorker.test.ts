import { describe, expect, test } from 'vitest';
import { printSnapshot } from '#core/state/snapshot.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { generation, jobUid, nodeName } from '#vocabulary/ids.ts';
import type { ObservedRank, ObservedWorker, WorkerState } from '#vocabulary/observed.ts';

const running: WorkerState = { kind: 'running' };
const ended = (reason: 'exited' | 'killed' | 'launch-failed' | 'vanished', message = ''): WorkerState => ({
  kind: 'ended',
  reason,
  message,
});

const rank = (number: number, changes: Partial<ObservedRank> = {}): ObservedRank => ({
  rank: number,
  state: { kind: 'running', pid: 1 },
  progress: null,
  checkpoint: null,
  suspendAware: true,
  suspendAnswer: null,
  ...changes,
});
const step = (value: number, loss: number | null = null) => ({ step: value, loss, tokens: null, stepSeconds: null });
const part = (value: number, scope: 'rank' | 'job' = 'rank', tookMs: number | null = null) => ({
  step: value,
  path: `/ckpt/${value}`,
  scope,
  tookMs,
});

/** Job `a` of these workers runs, one GPU each, all on n1; what its agent says is written by hand. */
function gang(workers = 1, changes: Parameters<typeof applyJob>[1] = {}) {
  const cluster = new FakeCluster([
    { name: 'n1', rack: 'r1', gpus: 4 },
    { name: 'n2', rack: 'r1', gpus: 4 },
  ]);
  cluster.step([applyJob('a', { workers, ...changes })]);
  const say = (
    observed: readonly (readonly [worker: number, state: WorkerState, ranks?: readonly ObservedRank[]])[],
    attempt = 1,
    node = 'n1',
  ): void => {
    const workersSeen: readonly ObservedWorker[] = observed.map(([worker, state, ranks = [rank(worker)]]) => ({
      id: { job: jobUid('uid-a'), attempt, worker },
      state,
      ranks,
    }));
    const name = nodeName(node);
    cluster.step([
      { kind: 'report', node: name, report: { sequence: 1, generation: generation(0), workers: workersSeen, gpuHealth: [], samples: [] } },
    ]);
  };
  return { cluster, say, end: () => cluster.job('a').attempts[0]?.end };
}

describe('the end of a worker', () => {
  test.each<[string, WorkerState, readonly ObservedRank[], string, boolean]>([
    [
      'a command that cannot be started is the user’s',
      ended('launch-failed', 'no such file'),
      [],
      'LaunchFailure: worker 0 on n1 could not be started: no such file',
      true,
    ],
    [
      'an exit code is the user’s',
      ended('exited'),
      [rank(0, { state: { kind: 'ended', exitCode: 3, signal: null } })],
      'ApplicationFailure: rank 0 on n1 exited with 3',
      true,
    ],
    [
      'a signal is the user’s',
      ended('exited'),
      [rank(0, { state: { kind: 'ended', exitCode: null, signal: 'SIGSEGV' } })],
      'ApplicationFailure: rank 0 on n1 was ended by SIGSEGV',
      true,
    ],
    [
      'a worker that vanished is the machine’s',
      ended('vanished', 'found dead'),
      [],
      'NodeFailure: worker 0 on n1 vanished: found dead',
      false,
    ],
    [
      'one that its agent killed unasked is the machine’s',
      ended('killed', 'out of room'),
      [],
      'NodeFailure: worker 0 on n1 was killed by its agent: out of room',
      false,
    ],
    [
      'a clean exit is success',
      ended('exited'),
      [rank(0, { state: { kind: 'ended', exitCode: 0, signal: null } })],
      'Succeeded: all ranks exited with 0',
      false,
    ],
  ])('%s', (_name, state, ranks, want, charged) => {
    const { say, end } = gang();
    say([[0, running]]);
    say([[0, state, ranks]]);
    expect(`${end()?.reasons.join('+')}: ${end()?.message}`).toBe(want);
    expect(end()?.charged).toBe(charged);
  });

  test('does not end the attempt while another one is left, and the gravest cause is the reason then', () => {
    const { say, end, cluster } = gang(2);
    say([
      [0, running],
      [1, running],
    ]);
    say([
      [0, ended('exited'), [rank(0, { state: { kind: 'ended', exitCode: 1, signal: null } })]],
      [1, running],
    ]);
    expect(end()).toBeNull();
    expect(cluster.job('a').attempts[0]?.stage.kind).toBe('stopping');
    say([[1, ended('vanished', 'found dead')]]);
    expect(end()).toMatchObject({ reasons: ['NodeFailure', 'ApplicationFailure'], charged: false });
    expect(cluster.job('a').restarts).toEqual({ applicationAtMs: [], infrastructure: 1, preemption: 0 });
  });

  test('of some workers with success is no success until all have ended so', () => {
    const { say, end } = gang(2);
    const done = (worker: number): readonly [number, WorkerState, readonly ObservedRank[]] => [
      worker,
      ended('exited'),
      [rank(worker, { state: { kind: 'ended', exitCode: 0, signal: null } })],
    ];
    say([
      [0, running],
      [1, running],
    ]);
    say([done(0), [1, running]]);
    expect(end()).toBeNull();
    say([done(1)]);
    expect(end()?.reasons).toEqual(['Succeeded']);
  });
});

describe('what does not belong to the current attempt counts for nothing', () => {
  test.each([
    ['another attempt', 2, 'n1'],
    ['another node', 1, 'n2'],
  ])('%s', (_name, attempt, node) => {
    const { say, cluster } = gang();
    const before = printSnapshot(cluster.view);
    say([[0, running, [rank(0, { progress: step(99), checkpoint: part(99) })]]], attempt, node);
    say([[0, ended('exited'), [rank(0, { state: { kind: 'ended', exitCode: 1, signal: null } })]]], attempt, node);
    expect(printSnapshot(cluster.view)).toBe(before);
  });

  test('a worker that was ended is not heard again', () => {
    const { say, cluster } = gang(2);
    say([[0, ended('exited'), [rank(0, { state: { kind: 'ended', exitCode: 0, signal: null } })]]]);
    const before = printSnapshot(cluster.view);
    say([[0, running, [rank(0, { progress: step(99) })]]]);
    expect(printSnapshot(cluster.view)).toBe(before);
  });

  test('seeing the same again changes nothing', () => {
    const { say, cluster } = gang();
    say([[0, running, [rank(0, { progress: step(3), checkpoint: part(2) })]]]);
    const before = cluster.log.length;
    cluster.nowMs += 60_000;
    say([[0, running, [rank(0, { progress: step(3), checkpoint: part(2) })]]]);
    expect(cluster.log.length).toBe(before);
  });
});

describe('progress', () => {
  const recorded = (cluster: FakeCluster): readonly number[] =>
    cluster.log.flatMap((event) => (event.kind === 'ProgressRecorded' ? [event.progress.step] : []));

  test('is recorded at most once in a while, and at the end', () => {
    const { say, cluster } = gang();
    for (const value of [1, 2, 3]) say([[0, running, [rank(0, { progress: step(value) })]]]);
    expect(recorded(cluster)).toEqual([1]);
    cluster.nowMs += 1_000;
    say([[0, running, [rank(0, { progress: step(4) })]]]);
    expect(recorded(cluster)).toEqual([1, 4]);
    say([[0, ended('exited'), [rank(0, { progress: step(5), state: { kind: 'ended', exitCode: 0, signal: null } })]]]);
    expect(recorded(cluster)).toEqual([1, 4, 5]);
  });

  test('of the foremost rank speaks for the job, and no rank goes back', () => {
    const { say, cluster } = gang(2);
    say([
      [0, running, [rank(0, { progress: step(7, 0.5) })]],
      [1, running, [rank(1, { progress: step(6, 0.6) })]],
    ]);
    expect(cluster.job('a').progress).toMatchObject({ step: 7, loss: 0.5, steps: { 0: 7, 1: 6 } });
    cluster.nowMs += 1_000;
    say([[1, running, [rank(1, { progress: step(4) })]]]);
    expect(cluster.job('a').progress?.steps).toEqual({ 0: 7, 1: 6 });
  });

  test('of a loss that is no number keeps the log and the state the same', () => {
    const { say, cluster } = gang();
    say([[0, running, [rank(0, { progress: step(1, 2.5) })]]]);
    cluster.nowMs += 1_000;
    say([[0, running, [rank(0, { progress: step(2, Number.NaN) })]]]);
    expect(cluster.job('a').progress).toMatchObject({ step: 2, loss: 2.5 });
  });
});

describe('a checkpoint', () => {
  const complete = (cluster: FakeCluster): number | null => cluster.job('a').checkpoint?.step ?? null;
  const times = (cluster: FakeCluster): readonly (number | undefined)[] =>
    cluster.log.flatMap((event) => (event.kind === 'CheckpointCompleted' ? [event.tookMs] : []));

  test('is complete when the slowest rank has saved it', () => {
    const { say, cluster } = gang(3);
    say([
      [0, running, [rank(0, { checkpoint: part(10) })]],
      [1, running, [rank(1, { checkpoint: part(10) })]],
      [2, running],
    ]);
    expect(complete(cluster)).toBeNull();
    say([
      [0, running, [rank(0, { checkpoint: part(20) })]],
      [2, running, [rank(2, { checkpoint: part(10) })]],
    ]);
    expect(complete(cluster)).toBe(10);
    say([
      [1, running, [rank(1, { checkpoint: part(20) })]],
      [2, running, [rank(2, { checkpoint: part(20) })]],
    ]);
    expect(complete(cluster)).toBe(20);
  });

  test('of the whole job needs one word of one rank', () => {
    const { say, cluster } = gang(3);
    say([
      [0, running],
      [1, running, [rank(1, { checkpoint: part(10, 'job') })]],
      [2, running],
    ]);
    expect(complete(cluster)).toBe(10);
  });

  test('takes the gang as long as its slowest rank says', () => {
    const { say, cluster } = gang(3);
    say([
      [0, running, [rank(0, { checkpoint: part(10, 'rank', 700) })]],
      [1, running, [rank(1, { checkpoint: part(10, 'rank', 900) })]],
    ]);
    say([[2, running, [rank(2, { checkpoint: part(10) })]]]);
    expect(times(cluster)).toEqual([900]);
    say([[0, running, [rank(0, { checkpoint: part(20, 'job', 80) })]]]);
    expect(times(cluster)).toEqual([900, 80]);
  });

  test('of several processes takes as long as the slowest one, and no time when none says', () => {
    const { say, cluster } = gang(1, { gpusPerWorker: 2, processesPerWorker: 'gpu' });
    say([[0, running, [rank(0, { checkpoint: part(10, 'rank', 70) }), rank(1, { checkpoint: part(10, 'rank', 30) })]]]);
    expect(times(cluster)).toEqual([70]);
    say([[0, running, [rank(0, { checkpoint: part(20) }), rank(1, { checkpoint: part(20) })]]]);
    expect(times(cluster)).toEqual([70, undefined]);
  });

  test('that is older than the newest complete one is not taken', () => {
    const { say, cluster } = gang(1);
    say([[0, running, [rank(0, { checkpoint: part(20) })]]]);
    say([[0, running, [rank(0, { checkpoint: part(10) })]]]);
    expect(complete(cluster)).toBe(20);
  });

  test('of several processes of one worker needs all of them', () => {
    const { say, cluster } = gang(1, { gpusPerWorker: 2, processesPerWorker: 'gpu' });
    say([[0, running, [rank(0, { checkpoint: part(10) }), rank(1)]]]);
    expect(complete(cluster)).toBeNull();
    say([[0, running, [rank(0, { checkpoint: part(10) }), rank(1, { checkpoint: part(10) })]]]);
    expect(complete(cluster)).toBe(10);
  });

  test('that was reported with the last breath counts for the next attempt', () => {
    const { say, cluster } = gang(1, { restarts: { max: 1, withinMs: null } });
    say([[0, running]]);
    say([[0, ended('exited'), [rank(0, { checkpoint: part(30), state: { kind: 'ended', exitCode: 1, signal: null } })]]]);
    expect(cluster.job('a').attempts[1]?.resume).toEqual({ step: 30, path: '/ckpt/30' });
  });

  test('of parts of an attempt that is over is not made whole by the next one', () => {
    const { say, cluster } = gang(2, { restarts: { max: 1, withinMs: null } });
    const crashed = (worker: number, checkpoint: ObservedRank['checkpoint']): readonly [number, WorkerState, readonly ObservedRank[]] => [
      worker,
      ended('exited'),
      [rank(worker, { checkpoint, state: { kind: 'ended', exitCode: 1, signal: null } })],
    ];
    say([
      [0, running],
      [1, running],
    ]);
    say([crashed(0, part(10)), crashed(1, null)]);
    say([[1, running, [rank(1, { checkpoint: part(10) })]]], 2);
    expect(complete(cluster)).toBeNull();
  });
});
