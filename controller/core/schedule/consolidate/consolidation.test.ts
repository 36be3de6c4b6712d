import { describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import type { Policy } from '../../context.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { jobName, queueName, userName } from '#vocabulary/ids.ts';

type Jobs = Readonly<Record<string, Partial<JobSpec>>>;

/**
 * Nodes of 4 GPUs, filled one after the other; then jobs that are called x leave, and their room is scattered. Moves cost
 * each GPU 4 s, if nothing is unsaved, so that a gang of 4 waits a second for each GPU that has to move.
 */
function scattered(nodes: readonly Jobs[], changes: Partial<Policy> = {}): FakeCluster {
  const shapes = nodes.map((_, index) => ({ name: `n${index + 1}`, rack: index < 2 ? 'r1' : 'r2', gpus: 4 }));
  const cluster = new FakeCluster(shapes, { restartCostMs: 4_000, ...changes });
  cluster.step([applyQueue('web', { class: 'serving' })]);
  for (const jobs of nodes) for (const [name, spec] of Object.entries(jobs)) cluster.step([applyJob(name, spec)]);
  for (let second = 0; second < 3; second += 1) cluster.tick(program);
  const user = userName('alice');
  for (const { name } of [...cluster.view.jobs.values()])
    if (name.startsWith('x')) cluster.step([{ kind: 'deleteJob', name, user, now: true }]);
  for (let second = 0; second < 2; second += 1) cluster.tick(program);
  return cluster;
}

/** Saves each step, so that a move costs nothing but the restart. */
const program = { total: 10_000, saveEvery: 1 };

function pass(cluster: FakeCluster, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) cluster.tick(program);
}

/** `small n2:3` for each job that was asked to move, with the place that is kept for it. */
function movesOf(cluster: FakeCluster): readonly string[] {
  return cluster.log.flatMap((event) =>
    event.kind !== 'JobNominated'
      ? []
      : (event.moves ?? []).map(
          ({ uid, placement }) =>
            `${cluster.view.jobs.get(uid)?.name} ${placement.map(({ node, gpus }) => `${node}:${gpus.join(',')}`).join(' ')}`,
        ),
  );
}

const gpus = (gpusPerWorker: number, changes: Partial<JobSpec> = {}): Partial<JobSpec> => ({ gpusPerWorker, ...changes });

/** One GPU of n1 is held by `small`, and one of n2 is free: a gang of 4 needs the move of `small`. */
const oneMove = (changes: Partial<JobSpec> = {}, big: Partial<JobSpec> = gpus(3, { preemptible: false })): readonly Jobs[] => [
  { small: gpus(1, changes), x1: gpus(3) },
  { big, x2: gpus(1) },
];

describe('a gang for which there is room in all, but not in one place', () => {
  test('gets a hole: who stands in it starts again elsewhere when it has left, and nobody is charged', () => {
    const cluster = scattered(oneMove());
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    pass(cluster, 12);
    expect(movesOf(cluster)).toEqual(['small n2:3']);
    expect(cluster.placements()).toEqual(['big n2:0,1,2', 'gang n1:0,1,2,3', 'small n2:3']);
    const { attempts, restarts } = cluster.job('small');
    expect(attempts.map((attempt) => attempt.end)).toMatchObject([{ reasons: ['Moved'], charged: false }, null]);
    expect(attempts[1]?.placedAtMs).toBe(attempts[0]?.endedAtMs);
    expect(restarts).toMatchObject({ applicationAtMs: [], infrastructure: 0, preemption: 0 });
  });

  test('waits first as long as the moves cost its GPUs, and no longer', () => {
    const cluster = scattered(oneMove());
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    const sinceMs = cluster.nowMs;
    const waitedMs = promisedAtMs(cluster, 'gang') - sinceMs;
    expect(waitedMs).toBeGreaterThanOrEqual((movesCost(cluster)[0] ?? 0) / 4);
    expect(waitedMs).toBeLessThanOrEqual(2_000);
  });

  test('is woken for it, though nothing else happens', () => {
    const cluster = scattered(oneMove(), { restartCostMs: 400_000 });
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    cluster.nowMs += 99_999;
    cluster.step([{ kind: 'tick' }]);
    expect(cluster.job('gang').nomination).toBeNull();
    // The work of those hundred seconds is not saved: it waits for as long again, and a little.
    for (let second = 0; second < 40; second += 1) {
      cluster.nowMs += 1_000;
      cluster.step([{ kind: 'tick' }]);
    }
    expect(movesOf(cluster)).toEqual(['small n2:3']);
  });

  test('waits on when its moves would cost more than the policy allows', () => {
    const cluster = scattered(oneMove(), { moveBudgetMs: 999 });
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    pass(cluster, 20);
    expect(movesOf(cluster)).toEqual([]);
  });

  test('waits on when not all who stand in the hole fit elsewhere at once', () => {
    const cluster = scattered([
      { a: gpus(2), x1: gpus(2) },
      { b: gpus(3, { preemptible: false }), x2: gpus(1) },
      { c: gpus(3, { preemptible: false }), x3: gpus(1) },
    ]);
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    pass(cluster, 20);
    expect(movesOf(cluster)).toEqual([]);
  });

  test('gets the hole whose jobs do fit elsewhere, though another would be cheaper', () => {
    const cluster = scattered([
      { pair: gpus(2), x1: gpus(2) },
      { a: gpus(1), b: gpus(1), c: gpus(1), x2: gpus(1) },
      { d: gpus(3, { preemptible: false }), x3: gpus(1) },
    ]);
    // `pair` would leave two free GPUs on one node, and there are none but its own: a, b and c go to n1 and n3.
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    pass(cluster, 20);
    expect(movesOf(cluster).map((move) => move.split(' ')[0])).toEqual(['a', 'b', 'c']);
    expect(cluster.placements()).toContain('gang n2:0,1,2,3');
  });

  test('has nobody moved where nobody has to: it starts when those have left who leave anyway', () => {
    const cluster = scattered([...oneMove(), { other: gpus(1), x3: gpus(3) }]);
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    cluster.step([{ kind: 'suspendJob', name: jobName('small'), user: userName('alice') }]);
    pass(cluster, 8);
    expect(cluster.log.some((event) => event.kind === 'JobNominated' && event.moves !== undefined)).toBe(false);
    expect(cluster.placements()).toContain('gang n1:0,1,2,3');
  });

  test('may be spread over nodes itself, and those who move may be gangs, which stay as near together as they were', () => {
    // Rack r1 has n1 and n2, rack r2 n3 and n4.
    const cluster = scattered([
      { p: gpus(1, { workers: 2 }), q: gpus(1), x1: gpus(1) },
      { x2: gpus(4) },
      { r: gpus(3, { preemptible: false }), x3: gpus(1) },
      { s: gpus(2, { preemptible: false }), x4: gpus(2) },
    ]);
    const rack = [{ level: 'rack', mode: 'required', waitMs: null }] as const;
    cluster.step([applyJob('gang', { workers: 2, gpusPerWorker: 4, constraints: rack }, 'bob')]);
    pass(cluster, 20);
    // p was on one node and is again; q takes the single GPU.
    expect(movesOf(cluster)).toEqual(['p n4:2 n4:3', 'q n3:3']);
    expect(cluster.placements()).toContain('gang n1:0,1,2,3 n2:0,1,2,3');
  });
});

test('who stands where a job ahead is promised to be is not moved for a gang behind, and nobody moves there', () => {
  // All of n1 is reserved for `ahead`, from the end of `timed` on. Those beside it would fit on n2 and n3.
  const soon = gpus(1, { maxRuntimeMs: 400_000 });
  const cluster = scattered([
    { timed: gpus(1, { maxRuntimeMs: 500_000, preemptible: false }), a: soon, b: soon, c: soon },
    { big: gpus(2, { preemptible: false }), x2: gpus(2) },
    { bigger: gpus(3, { preemptible: false }), x3: gpus(1) },
  ]);
  cluster.step([applyJob('ahead', gpus(4, { preemptible: false }), 'alice')]);
  const wait = (name: string): string => cluster.placements().find((line) => line.startsWith(name)) ?? '';
  expect(wait('ahead')).toContain('reserved');
  const before = wait('ahead');
  cluster.step([applyJob('behind', gpus(3), 'alice')]);
  pass(cluster, 15);
  expect(cluster.job('behind').nomination).toBeNull();
  expect(wait('ahead')).toBe(before);
});

describe('who is moved', () => {
  const moves = (nodes: readonly Jobs[], gang: Partial<JobSpec> = {}): readonly string[] => {
    const cluster = scattered(nodes);
    cluster.step([applyJob('gang', { ...gpus(4), ...gang }, 'alice')]);
    pass(cluster, 20);
    return movesOf(cluster);
  };

  test('may be of the same rank and user, which could not displace each other', () => {
    expect(moves(oneMove())).toEqual(['small n2:3']);
  });

  test.each<[string, Partial<JobSpec>]>([
    ['may not be interrupted', { preemptible: false }],
    ['ranks above the gang', { priority: 30 }],
    ['is a service', { queue: queueName('web'), priority: 1 }],
    ['has domains for itself', { exclusive: 'node' }],
  ])('is nobody who %s', (_, changes) => {
    expect(moves(oneMove(changes))).toEqual([]);
  });

  test('is smaller than the gang', () => {
    // Two GPUs that would have to be moved for two.
    const nodes = [
      { a: gpus(1, { preemptible: false }), pair: gpus(2), x1: gpus(1) },
      { b: gpus(2, { preemptible: false }), c: gpus(1, { preemptible: false }), x2: gpus(1) },
    ];
    expect(moves(nodes, gpus(2))).toEqual([]);
  });

  test('is not torn apart by it: workers on one node stay on one', () => {
    const nodes = [
      { pair: gpus(1, { workers: 2 }), x1: gpus(2) },
      { a: gpus(3, { preemptible: false }), x2: gpus(1) },
      { b: gpus(3, { preemptible: false }), x3: gpus(1) },
    ];
    expect(moves(nodes)).toEqual([]);
  });

  test('is asked when it has run as long as it wants to, though nothing else happens then', () => {
    const cluster = scattered(oneMove({ minRuntimeMs: 30_000 }));
    cluster.step([applyJob('gang', gpus(4), 'bob')]);
    const fromMs = (cluster.job('small').attempts[0]?.placedAtMs ?? 0) + 30_000;
    expect(promisedAtMs(cluster, 'gang')).toBe(fromMs);
  });

  test('is left alone after that for ten times what it cost', () => {
    const cluster = scattered([...oneMove(), { f: gpus(3, { preemptible: false }), x3: gpus(1) }]);
    cluster.step([applyJob('gang', gpus(4, { preemptible: false }), 'bob')]);
    pass(cluster, 8);
    const restMs = 10 * (movesCost(cluster)[0] ?? 0);
    expect(restMs).toBeGreaterThanOrEqual(40_000);
    // Now a hole on n2, where `small` went: the place of `big` is free.
    cluster.step([{ kind: 'deleteJob', name: jobName('big'), user: userName('alice'), now: true }]);
    cluster.step([applyJob('second', gpus(4), 'bob')]);
    const placedAtMs = cluster.job('small').attempts[1]?.placedAtMs ?? 0;
    expect(promisedAtMs(cluster, 'second')).toBe(placedAtMs + restMs);
    expect(movesOf(cluster)).toEqual(['small n2:3', 'small n3:3']);
  });
});

function promisedAtMs(cluster: FakeCluster, name: string): number {
  for (let second = 0; second < 100 && cluster.job(name).nomination === null; second += 1) cluster.tick(program);
  const { nomination } = cluster.job(name);
  if (nomination === null) throw new Error(`no place is promised to ${name}: ${cluster.placements().join('; ')}`);
  return nomination.atMs;
}

/** Milliseconds of each GPU of each job that was asked to move. */
function movesCost(cluster: FakeCluster): readonly number[] {
  return cluster.log.flatMap((event) => (event.kind === 'JobNominated' ? (event.moves ?? []).map(({ costMs }) => costMs) : []));
}

describe('while jobs move', () => {
  function moving(): FakeCluster {
    const cluster = scattered(oneMove({ priority: 90 }));
    cluster.step([applyJob('gang', gpus(4, { priority: 90 }), 'bob')]);
    promisedAtMs(cluster, 'gang');
    return cluster;
  }

  test('stepping again says nothing new', () => {
    const cluster = moving();
    const events = cluster.log.length;
    for (let time = 0; time < 3; time += 1) {
      cluster.state.scheduleDirty = true;
      cluster.step([]);
    }
    expect(cluster.log.length).toBe(events);
  });

  test('their new places are kept from everybody, whatever the rank', () => {
    const cluster = moving();
    cluster.step([applyJob('urgent', gpus(1, { priority: 90 }), 'carol')]);
    pass(cluster, 10);
    expect(cluster.placements()).toEqual(expect.arrayContaining(['gang n1:0,1,2,3', 'small n2:3']));
  });

  test('and the gang is deleted, suspended or held, they run on where they are', () => {
    const name = jobName('gang');
    const user = userName('bob');
    for (const change of [
      { kind: 'deleteJob', name, user, now: false },
      { kind: 'suspendJob', name, user },
      { kind: 'holdJob', name, user },
    ] as const) {
      const cluster = moving();
      cluster.step([change]);
      expect(cluster.job('small').attempts.at(-1)?.stage.kind, change.kind).toBe('running');
      expect(cluster.job('small').move, change.kind).toBeNull();
      expect(cluster.state.moving.size, change.kind).toBe(0);
      // What was kept for it is free again.
      cluster.step([applyJob('other', gpus(1), 'carol')]);
      expect(cluster.placements(), change.kind).toContain('other n2:3');
    }
  });

  test('one that is held by somebody starts only when it is released', () => {
    const cluster = moving();
    const request = { name: jobName('small'), user: userName('alice') };
    cluster.step([{ kind: 'holdJob', ...request }]);
    pass(cluster, 8);
    expect(cluster.job('small').phase.kind).toBe('pending');
    cluster.step([{ kind: 'releaseJob', ...request }]);
    expect(cluster.placements()).toContain('small n2:3');
  });

  test('one that is suspended, deleted or done leaves nothing behind', () => {
    const request = { name: jobName('small'), user: userName('alice') };
    for (const change of [{ kind: 'suspendJob', ...request } as const, { kind: 'deleteJob', ...request, now: false } as const]) {
      const cluster = moving();
      cluster.step([change]);
      pass(cluster, 8);
      expect(cluster.state.moving.size).toBe(0);
      expect(cluster.placements(), change.kind).toContain('gang n1:0,1,2,3');
      cluster.step([applyJob('other', gpus(1), 'carol')]);
      expect(cluster.placements(), change.kind).toContain('other n2:3');
    }
  });
});
