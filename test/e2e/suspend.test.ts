import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { assert } from '#vocabulary/assert.ts';
import { fourNodes, withCluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { job, training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { create, eventsOf, placesOf, printAttempts, reasonsOf, untilFinished, untilJob, untilStep } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

test('suspended ranks all stop at one step with a checkpoint of it; the next attempt goes on from there and nothing is charged', async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    const steps = 250;
    // No checkpoints but the one that is asked for.
    await create(cluster, training({ name: 'pause', workers: 4, gpusPerWorker: 2, out: cluster.work, steps, checkpointEvery: 0 }));
    await untilStep(cluster, 'pause', 5);
    expect(await cluster.client.suspend({ job: 'pause' })).toMatchObject({ changed: true });
    const suspended = await untilJob(cluster, 'pause', ({ phase }) => phase === 'Suspended', { what: 'is suspended' });

    const stops = (await readHistory(cluster.work, 'pause')).filter(({ what }) => what === 'stop');
    expect(stops.map(({ rank }) => rank).sort()).toEqual([0, 1, 2, 3]);
    const [stopStep, ...others] = new Set(stops.map(({ step }) => step));
    assert(stopStep !== undefined, 'every rank stopped at a step');
    expect(others).toEqual([]);
    const path = join(cluster.work, 'pause', 'attempt-1', `step-${stopStep}`);
    expect(suspended.checkpoint).toMatchObject({ step: BigInt(stopStep), path });
    for (const rank of [0, 1, 2, 3]) {
      expect(JSON.parse(await readFile(join(path, `rank-${rank}.json`), 'utf8'))).toEqual({ step: stopStep, sum: sumOfSteps(stopStep) });
    }
    expect(await cluster.processesOf('pause')).toEqual([]);

    expect(await cluster.client.resume({ job: 'pause' })).toMatchObject({ changed: true });
    const { attempts, restarts } = await untilFinished(cluster, 'pause', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 Suspended', '2 Succeeded']);
    expect(attempts.map(({ resumedFromStep }) => resumedFromStep)).toEqual([0n, BigInt(stopStep)]);
    expect(restarts).toMatchObject({ application: 0, infrastructure: 0, preemption: 0 });
    const history = await readHistory(cluster.work, 'pause');
    expect(history.filter(({ what, attempt }) => what === 'start' && attempt === 2).map(({ step }) => step)).toEqual(
      [1, 2, 3, 4].map(() => stopStep),
    );
    expect(history.filter(({ what }) => what === 'done').map(({ sum }) => sum)).toEqual([1, 2, 3, 4].map(() => sumOfSteps(steps)));
  });
});

test('a program that knows nothing of the workload API gets SIGTERM, the grace period, then SIGKILL', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 1) }, async (cluster) => {
    const spec = { checkpoint: { directory: 'saved', grace: '2s' } };
    const polite = `trap 'echo polite >>${cluster.work}/heard; exit 0' TERM; touch ${cluster.work}/ready-polite; while :; do sleep 0.02; done`;
    const deaf = `trap 'echo deaf >>${cluster.work}/heard' TERM; touch ${cluster.work}/ready-deaf; while :; do sleep 0.02; done`;
    for (const [name, script] of Object.entries({ polite, deaf })) {
      await create(cluster, job({ name, command: ['/bin/sh', '-c', script], spec }));
    }
    const heard = async (file: string): Promise<string> => readFile(join(cluster.work, file), 'utf8').catch(() => '');
    for (const name of ['polite', 'deaf']) {
      await waitUntil(
        () =>
          readFile(join(cluster.work, `ready-${name}`), 'utf8')
            .then(() => true as const)
            .catch(() => undefined),
        { what: `${name} has its trap` },
      );
      await untilJob(cluster, name, ({ phase }) => phase === 'Running', { what: 'runs' });
    }
    const askedAtMs = Date.now();
    for (const name of ['polite', 'deaf']) await cluster.client.suspend({ job: name });
    await untilJob(cluster, 'polite', ({ phase }) => phase === 'Suspended', { what: 'is suspended' });
    const deafStatus = await untilJob(cluster, 'deaf', ({ phase }) => phase === 'Suspended', { what: 'is suspended' });
    expect(Date.now() - askedAtMs).toBeGreaterThanOrEqual(2000);
    expect((await heard('heard')).split('\n').sort()).toEqual(['', 'deaf', 'polite']);
    expect(printAttempts(deafStatus.attempts)).toEqual(['1 Suspended']);
    expect(deafStatus.restarts).toMatchObject({ application: 0, infrastructure: 0 });
    expect(await cluster.processesOf('deaf')).toEqual([]);
  });
});

test('a drained node is left with a checkpoint, and the job goes on elsewhere without a charge', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 2) }, async (cluster) => {
    await create(cluster, training({ name: 'mover', out: cluster.work, steps: 300 }));
    const running = await untilStep(cluster, 'mover', 5);
    const node = running.attempts[0]?.placement[0]?.node ?? '';
    expect(await cluster.client.drain({ node, reason: 'new fan' })).toMatchObject({ jobs: ['mover'] });
    const { attempts, restarts } = await untilFinished(cluster, 'mover', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 Drained', '2 Succeeded']);
    expect(attempts.map(placesOf)).toEqual([[`${node}[0]`], [`${node === 'n1' ? 'n2' : 'n1'}[0]`]]);
    expect(restarts).toMatchObject({ application: 0, infrastructure: 0, preemption: 1 });
    expect(reasonsOf(await eventsOf(cluster, 'Node', node))).toContain('Draining');
    expect((await readHistory(cluster.work, 'mover')).findLast(({ what }) => what === 'done')?.sum).toBe(sumOfSteps(300));
  });
});
