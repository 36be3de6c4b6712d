import { expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { forkState } from '../state/fork.ts';
import type { StateView } from '../state/view.ts';
import type { Change } from './changes.ts';
import { compileChanges } from './changes.ts';
import { openForecast } from './openForecast.ts';

function cluster(): FakeCluster {
  const one = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
  one.join({ name: 'x1', rack: 'r1', block: 'b2', gpus: 8, model: 'A100' });
  one.step([applyQueue('research', { limit: { A100: 3 } })]);
  return one;
}

const problems = (one: FakeCluster, ...changes: Change[]): readonly string[] => {
  const compiled = compileChanges(one.view, changes, policy);
  return compiled.ok ? [] : compiled.problems.map(({ change, message }) => `${change} ${message}`);
};

/** The state right after the changes. */
function changed(one: FakeCluster, ...changes: Change[]): StateView {
  const compiled = compileChanges(one.view, changes, policy);
  if (!compiled.ok) throw new Error(compiled.problems.map(({ message }) => message).join('; '));
  const forecast = openForecast(forkState(one.view), { nowMs: one.nowMs, policy });
  for (const reply of forecast.offer(compiled.inputs)) expect(reply.kind).not.toBe('refused');
  return forecast.state;
}

const nodesOf = (state: StateView): readonly string[] =>
  [...state.nodes.values()].map(({ name, inventory, availability, cordon }) => {
    const gpus = `${inventory.gpus.length}x${inventory.gpus[0]?.model}`;
    return `${inventory.path.join('/')}/${name} ${gpus} ${availability.kind}${cordon === null ? '' : cordon.drain ? ' drained' : ' cordoned'}`;
  });

test('added nodes stand in the domain that is named, or in a new one, and are ready', () => {
  const one = cluster();
  const added = nodesOf(
    changed(
      one,
      { kind: 'addNodes', count: 2, model: 'H100', gpus: 8, domain: 'rack/r2' },
      { kind: 'addNodes', count: 1, model: 'A100', gpus: 2, domain: 'rack/r9' },
      { kind: 'addNodes', count: 1, model: 'A100', gpus: 4, domain: 'block/b2' },
      { kind: 'addNodes', count: 1, model: 'H100', gpus: 4, domain: null },
    ),
  ).slice(5);
  expect(added).toEqual([
    'z1/b1/r2/added-00001 8xH100 ready',
    'z1/b1/r2/added-00002 8xH100 ready',
    'z1/b1/r9/added-00003 2xA100 ready',
    'z1/b2/added/added-00004 4xA100 ready',
    'z1/b1/added/added-00005 4xH100 ready',
  ]);
  expect(one.state.nodes.size).toBe(5);
});

test('nodes fail, are emptied, or take nothing new: one, or all of a domain', () => {
  const one = cluster();
  one.step([applyJob('a'), applyJob('b', { gpuModels: ['A100'] })]);
  const state = changed(
    one,
    { kind: 'lose', domain: 'rack/b1/r1' },
    { kind: 'drain', domain: 'x1' },
    { kind: 'cordon', domain: 'node/n22' },
  );
  expect(nodesOf(state)).toEqual([
    'z1/b1/r1/n11 4xH100 lost',
    'z1/b1/r1/n12 4xH100 lost',
    'z1/b1/r2/n21 4xH100 ready',
    'z1/b1/r2/n22 4xH100 ready cordoned',
    'z1/b2/r1/x1 8xA100 ready drained',
  ]);
});

test('a number of a queue changes, and the others stay', () => {
  const one = cluster();
  const spec = (...changes: Change[]): unknown => {
    const { limit, guaranteed, weight } = changed(one, ...changes).queues.get(applyQueue('research').name)?.spec ?? {};
    return { limit, guaranteed, weight };
  };
  const quota = { kind: 'quota', queue: 'research', model: null } as const;
  expect(spec({ ...quota, field: 'limit', amount: 7 })).toEqual({ limit: { A100: 7, H100: 7 }, guaranteed: {}, weight: 1 });
  expect(spec({ ...quota, field: 'limit', model: 'H100', amount: 2 })).toEqual({ limit: { A100: 3, H100: 2 }, guaranteed: {}, weight: 1 });
  expect(spec({ ...quota, field: 'limit', amount: null })).toEqual({ limit: {}, guaranteed: {}, weight: 1 });
  expect(spec({ ...quota, field: 'guaranteed', model: 'A100', amount: 2 })).toEqual({
    limit: { A100: 3 },
    guaranteed: { A100: 2 },
    weight: 1,
  });
  expect(spec({ ...quota, field: 'weight', amount: 2.5 })).toEqual({ limit: { A100: 3 }, guaranteed: {}, weight: 2.5 });
});

test('what cannot be is told, all of it, with what there is', () => {
  const one = cluster();
  one.step([applyJob('runs'), applyJob('waits', { workers: 8, gpusPerWorker: 4, gpuModels: ['H100'], constraints: [] })]);
  const quota = { kind: 'quota', queue: 'research', field: 'limit', model: null, amount: 1 } as const;
  expect(
    problems(
      one,
      { kind: 'addNodes', count: 1, model: 'H200', gpus: 8, domain: null },
      { kind: 'addNodes', count: 30_000, model: 'H100', gpus: 8, domain: null },
      { kind: 'addNodes', count: 1, model: 'H100', gpus: 65, domain: null },
      { kind: 'addNodes', count: 1, model: 'H100', gpus: 8, domain: 'shelf/r1' },
      { kind: 'addNodes', count: 1, model: 'H100', gpus: 8, domain: 'r1' },
      { kind: 'lose', domain: 'n13' },
      { kind: 'drain', domain: 'rack/r1' },
      { kind: 'drain', domain: 'rack/r12' },
      { kind: 'cordon', domain: 'shelf/r1' },
      { ...quota, queue: 'reserch' },
      { ...quota, model: 'H200' },
      { ...quota, amount: 0.5 },
      { ...quota, field: 'weight', model: 'H100' },
      { kind: 'next', job: 'runs' },
      { kind: 'next', job: 'nobody' },
    ),
  ).toEqual([
    '0 the cluster has no GPUs of model "H200"; it has A100, H100; did you mean "H100"?',
    '1 30000 nodes: 1 to 20000 can be added, all together',
    '2 65 GPUs a node: 1 to 64 are allowed',
    '3 level "shelf" is none of zone, block, rack',
    '4 rack "r1" is several: rack/z1/b1/r1, rack/z1/b2/r1',
    '5 node "n13" not found; did you mean "n11"?',
    '6 rack "r1" is several: rack/z1/b1/r1, rack/z1/b2/r1',
    '7 rack "r12" not found; did you mean "r1"?',
    '8 level "shelf" is none of zone, block, rack, node',
    '9 queue "reserch" not found; did you mean "research"?',
    '10 the cluster has no GPUs of model "H200"; it has A100, H100; did you mean "H100"?',
    '11 0.5 GPUs: a whole number of 0 or more is wanted, or none',
    '12 a weight is not of a GPU model; "H100" is given',
    '13 job "runs" does not wait (it is active)',
    '14 job "nobody" not found',
  ]);
});
