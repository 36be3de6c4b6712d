import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { assert } from '#vocabulary/assert.ts';
import { fourNodes, withCluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { job, training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { create, eventsOf, placesOf, printAttempts, reasonsOf, untilFinished } from './questions.ts';

test('a gang of four trains on four nodes, saves sharded checkpoints and succeeds in one attempt', async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    const steps = 40;
    await create(
      cluster,
      training({ name: 'gang', workers: 4, gpusPerWorker: 2, out: cluster.work, steps, spec: { mesh: { data: 4, tensor: 2 } } }),
    );
    const { attempts, checkpoint, restarts, ranks, ledger } = await untilFinished(cluster, 'gang', 'Succeeded');

    expect(printAttempts(attempts)).toEqual(['1 Succeeded']);
    const [attempt] = attempts;
    assert(attempt !== undefined, 'the job had an attempt');
    expect(placesOf(attempt)).toEqual(['n1[0,1]', 'n2[0,1]', 'n3[0,1]', 'n4[0,1]']);
    expect(ranks.map(({ rank, exitCode, mesh }) => ({ rank, exitCode, mesh }))).toEqual(
      [0, 1, 2, 3].map((rank) => ({ rank, exitCode: 0, mesh: { data: rank, tensor: 0 } })),
    );
    expect(Object.keys(ledger)).toEqual(expect.arrayContaining(['starting', 'productive', 'checkpointing']));
    expect(restarts).toMatchObject({ application: 0, infrastructure: 0, preemption: 0 });
    expect(checkpoint).toMatchObject({ step: 40n, path: join(cluster.work, 'gang', 'attempt-1', 'step-40') });
    expect((await readdir(join(cluster.work, 'gang', 'attempt-1', 'step-40'))).sort()).toEqual(
      [0, 1, 2, 3].map((rank) => `rank-${rank}.json`),
    );
    expect(
      reasonsOf(await eventsOf(cluster, 'TrainingJob', 'gang')).filter((reason) => reason !== 'Checkpointed' && reason !== 'WorkerEnded'),
    ).toEqual(['Created', 'Placed', 'Started', 'Succeeded']);

    const history = await readHistory(cluster.work, 'gang');
    const done = history.filter(({ what }) => what === 'done').sort((left, right) => left.rank - right.rank);
    expect(done.map(({ rank, sum }) => ({ rank, sum }))).toEqual([0, 1, 2, 3].map((rank) => ({ rank, sum: sumOfSteps(steps) })));
    expect(history.filter(({ what }) => what === 'step').length).toBe(4 * steps);
  });
});

test('a program that fails is restarted as often as its manifest allows, is charged for it, and the job says how it ended', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 1) }, async (cluster) => {
    await create(cluster, job({ name: 'broken', command: ['/bin/sh', '-c', 'exit 3'], spec: { restarts: { max: 1 } } }));
    const { attempts, message, restarts } = await untilFinished(cluster, 'broken', 'Failed');
    expect(printAttempts(attempts)).toEqual(['1 ApplicationFailure charged', '2 ApplicationFailure charged']);
    expect(message).toBe('rank 0 on n1 exited with 3');
    expect(restarts?.application).toBe(2);
  });
});
