import { describe, expect, test } from 'vitest';
import { defaultPolicy } from '#controller/limits.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { DefragPolicy } from '../../context.ts';
import { openRoom } from '../clusterRoom.ts';
import { nextDefragMs, planDefragNow } from './defrag.ts';
import { measureHoles } from './holes.ts';
import type { DefragPlan } from './defragPlan.ts';

const bob = userName('bob');
const endless = { total: 1e9, saveEvery: 2 };
const settings = (changes: Partial<DefragPolicy> = {}) => ({ defrag: { ...defaultPolicy.defrag, ...changes }, restartCostMs: 1_000 });

/** Nodes of four GPUs in two racks; each job is placed where it is said, by filling the nodes and deleting the fillers. */
function scattered(
  jobs: readonly (readonly [name: string, gpus: number, changes?: Partial<JobSpec>])[],
  changes: Partial<DefragPolicy> = {},
) {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 }, settings(changes));
  for (const [at, [name, gpus, spec]] of jobs.entries()) {
    cluster.step([applyJob(name, { gpusPerWorker: gpus, ...spec })]);
    if (gpus < 4) cluster.step([applyJob(`fill${at}`, { gpusPerWorker: 4 - gpus })]);
  }
  cluster.tick(endless);
  for (const at of jobs.keys()) if (cluster.view.jobsByName.size > 0) end(cluster, `fill${at}`);
  for (let second = 0; second < 4; second += 1) cluster.tick(endless);
  return cluster;
}

function end(cluster: FakeCluster, name: string): void {
  const job = [...cluster.view.jobs.values()].find((each) => each.name === name);
  if (job !== undefined) cluster.step([{ kind: 'deleteJob', name: job.name, user: bob, now: true }]);
}

function ask(cluster: FakeCluster, movesMax: number | null = null): DefragPlan {
  const [reply] = cluster.step([{ kind: 'defrag', user: bob, movesMax }]);
  if (reply?.kind !== 'defragged') throw new Error('no plan');
  return reply.plan;
}

const holesNow = (cluster: FakeCluster) =>
  measureHoles(openRoom(cluster.view, { nowMs: cluster.nowMs, policy }).room.capacity, policy.levels);
const freeNodes = ({ free }: { readonly free: DefragPlan['before']['free'] }) => free.find(({ level }) => level === 'node')?.domains;
const printed = ({ moves }: DefragPlan) => moves.map(({ name, from, placement }) => `${name}: ${from[0]?.node} -> ${placement[0]?.node}`);
const rest = (cluster: FakeCluster): void => {
  for (let second = 0; second < 8; second += 1) cluster.tick(endless);
};

describe('defrag', () => {
  const pieces = [
    ['a', 1],
    ['b', 1],
    ['c', 2],
    ['d', 3],
  ] as const;

  test('empties the nodes of which least is held, on to nodes that are in use, and says before what comes of it', () => {
    const cluster = scattered(pieces);
    const before = cluster.placements();
    const dry = planDefragNow(cluster.view, { nowMs: cluster.nowMs, policy: { ...policy, ...settings() } }, null);
    expect(cluster.placements()).toEqual(before);
    expect(printed(dry)).toEqual(['a: n11 -> n22', 'b: n12 -> n21']);
    expect([freeNodes(dry.before), freeNodes(dry.after)]).toEqual([0, 2]);
    expect([dry.before.scatteredMilli, dry.after.scatteredMilli]).toEqual([9_000, 1_000]);
    expect(dry.after.free).toContainEqual({ level: 'rack', domains: 1 });
    expect(ask(cluster)).toEqual(dry);
    rest(cluster);
    expect(holesNow(cluster)).toEqual(dry.after);
    expect(cluster.placements()).toEqual(['a n22:3', 'b n21:2', 'c n21:0,1', 'd n22:0,1,2']);
    expect(cluster.job('a').attempts[0]?.end).toMatchObject({ reasons: ['Moved'], charged: false });
    expect(cluster.job('a').restarts).toEqual({ applicationAtMs: [], infrastructure: 0, preemption: 0 });
  });

  test('a place is kept for each from the ask on, and the reason is told', () => {
    const cluster = scattered(pieces);
    ask(cluster);
    cluster.step([applyJob('thief', { gpusPerWorker: 1, priority: 90 })]);
    rest(cluster);
    expect(cluster.placements().filter((line) => /^[ab] /.test(line))).toEqual(['a n22:3', 'b n21:2']);
    const told = cluster.view.recent
      .filter(({ reason }) => reason === 'Suspending' || reason === 'MovesAsked')
      .map(({ message }) => message);
    expect(told.slice(0, 2)).toEqual([
      'by bob: 2 jobs are asked to move, so that free room lies together',
      'attempt 1 is asked to move so that free room lies together; n22[3] is kept for it',
    ]);
  });

  test('moves nobody to a node that lies free, though others make the plan pay', () => {
    const cluster = scattered([
      ['a', 1],
      ['b', 3],
      ['c', 3],
    ]);
    expect(freeNodes(holesNow(cluster))).toBe(1);
    expect(printed(ask(cluster))).toEqual(['a: n11 -> n12']);
  });

  test('comes to rest: asked again nothing is moved', () => {
    const cluster = scattered(pieces);
    ask(cluster);
    rest(cluster);
    const again = ask(cluster);
    expect(again).toMatchObject({ moves: [], cost: 0 });
    expect(again.after).toEqual(again.before);
  });

  test.each<[string, Partial<DefragPolicy>, readonly string[]]>([
    ['so many moves at a time', { movesMax: 1 }, ['a: n11 -> n22']],
    ['none', { movesMax: 0 }, []],
    ['a gain that is worth it', { gainGpusMin: 9 }, []],
    ['what a GPU may cost', { costMs: 1 }, []],
  ])('is bounded by %s', (_, changes, want) => {
    expect(printed(ask(scattered(pieces, changes)))).toEqual(want);
  });

  test.each<[string, Partial<JobSpec>]>([
    ['that must not be asked to leave', { preemptible: false }],
    ['before its least run time', { minRuntimeMs: 60_000 }],
    ['that has its rack for itself', { exclusive: 'node' }],
  ])('a job %s stays', (_, changes) => {
    const cluster = scattered([['a', 1, changes], ...pieces.slice(1)]);
    expect(printed(ask(cluster)).some((move) => move.startsWith('a:'))).toBe(false);
  });

  test('is done when it is due, without anybody asking, and not before', () => {
    const cluster = scattered(pieces, { everyMs: 60_000 });
    expect(cluster.log.some(({ kind }) => kind === 'MovesAsked')).toBe(false);
    for (let second = 0; second < 60; second += 1) cluster.tick(endless);
    const asked = cluster.log.flatMap((event) => (event.kind === 'MovesAsked' ? [event] : []));
    expect(asked.map(({ by, atMs }) => [by, atMs % 60_000])).toEqual([[null, 0]]);
    expect(freeNodes(holesNow(cluster))).toBe(2);
  });
});

describe('when it is due next', () => {
  const hourMs = 3_600_000;
  const due = (everyMs: number, fromHour: number, untilHour: number, afterHour: number): number | null => {
    const atMs = nextDefragMs(
      { ...defaultPolicy.defrag, everyMs, fromMs: fromHour * hourMs, untilMs: untilHour * hourMs },
      afterHour * hourMs,
    );
    return atMs === null ? null : atMs / hourMs;
  };

  test('is the next multiple that lies in the window of a day', () => {
    expect(due(2 * hourMs, 0, 24, 3)).toBe(4);
    expect(due(2 * hourMs, 0, 24, 4)).toBe(6);
    expect(due(2 * hourMs, 1, 5, 4)).toBe(24 + 2);
    expect(due(24 * hourMs, 0, 1, 3)).toBe(24);
  });

  test('is never when it is off, or when no multiple lies in the window', () => {
    expect(due(0, 0, 24, 3)).toBeNull();
    expect(due(24 * hourMs, 3, 5, 0)).toBeNull();
  });
});
