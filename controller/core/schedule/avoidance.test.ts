import { expect, test } from 'vitest';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { generation, jobUid, nodeName } from '#vocabulary/ids.ts';
import type { ObservedWorker } from '#vocabulary/observed.ts';
import { nodesToAvoid } from './avoidance.ts';

const hourMs = 3_600_000;

function cluster(names: readonly string[]): FakeCluster {
  return new FakeCluster(names.map((name) => ({ name, rack: 'r1', gpus: 2 })));
}

const place = (one: FakeCluster, name: string): string => one.placements().find((line) => line.startsWith(`${name} `)) ?? '';

/** The first worker's program ends with 1. */
function crash(one: FakeCluster, name: string): void {
  const attempt = one.job(name).attempts.at(-1);
  const agent = one.agent(attempt?.placement[0]?.node ?? '');
  const running = agent.running().find(({ attempt: of }) => of.startsWith(`uid-${name}/`));
  if (running === undefined) throw new Error(`${name} does not run`);
  agent.crashOne(running.key, 1);
  one.until(`${name} is placed again`, () => one.job(name).attempts.length > (attempt?.number ?? 0), 20);
}

test('a job that crashed goes to another node, and comes back to the first one when there is room nowhere else', () => {
  const one = cluster(['n1', 'n2']);
  one.step([applyJob('a', { gpusPerWorker: 1, restarts: { max: 5, withinMs: null } })]);
  one.tick();
  one.tick();
  expect(place(one, 'a')).toBe('a n1:0');
  crash(one, 'a');
  expect(place(one, 'a')).toBe('a n2:0');
  one.tick();
  one.tick();
  crash(one, 'a');
  // Both are to be avoided now: rather that than wait.
  expect(place(one, 'a')).toMatch(/^a n[12]:0$/);
});

test('it does not wait for a node that did not fail it', () => {
  const one = cluster(['n1', 'n2']);
  one.step([applyJob('a', { gpusPerWorker: 2, restarts: { max: 5, withinMs: null } }), applyJob('b', { gpusPerWorker: 2 })]);
  one.tick({ total: 100, saveEvery: 5 });
  one.tick({ total: 100, saveEvery: 5 });
  expect(place(one, 'a')).toBe('a n1:0,1');
  crash(one, 'a');
  expect(place(one, 'a')).toBe('a n1:0,1');
});

test('an hour later the node is as good as others', () => {
  const one = cluster(['n1', 'n2']);
  one.step([applyJob('a', { gpusPerWorker: 1, restarts: { max: 5, withinMs: null } })]);
  one.tick();
  one.tick();
  crash(one, 'a');
  const job = one.job('a');
  const endedAtMs = job.attempts[0]?.endedAtMs ?? 0;
  expect(nodesToAvoid(job, endedAtMs + hourMs - 1, hourMs)).toEqual(['n1']);
  expect(nodesToAvoid(job, endedAtMs + hourMs, hourMs)).toEqual([]);
  expect(nodesToAvoid(job, endedAtMs, 0)).toEqual([]);
});

test('of a gang only the worker whose node lost it moves, though that node is open', () => {
  const one = cluster(['n1', 'n2', 'n3']);
  one.step([applyJob('a', { workers: 2, gpusPerWorker: 2 })]);
  one.tick({ total: 100, saveEvery: 5 });
  one.tick({ total: 100, saveEvery: 5 });
  expect(place(one, 'a')).toBe('a n1:0,1 n2:0,1');
  const lost: ObservedWorker = {
    id: { job: jobUid('uid-a'), attempt: 1, worker: 1 },
    state: { kind: 'ended', reason: 'vanished', message: 'its processes are gone' },
    ranks: [],
  };
  const report = { sequence: 99, generation: generation(0), workers: [lost], gpuHealth: [], samples: [] };
  one.step([{ kind: 'report', node: nodeName('n2'), report }]);
  one.until('it is placed again', () => one.job('a').attempts.length === 2, 30);
  expect(place(one, 'a')).toBe('a n1:0,1 n3:0,1');
});
