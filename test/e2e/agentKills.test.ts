import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { assert } from '#vocabulary/assert.ts';
import { fourNodes, withCluster, type Cluster } from './cluster.ts';
import { readHistory } from './history.ts';
import { job, training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { isAlive, signalAll } from './processes.ts';
import { create, eventsOf, printAttempts, reasonsOf, timeOf, untilEvent, untilFinished, untilJob, untilStep } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

/** Its rank ends with this code as soon as the file is there. */
function waitingFor(file: string, exitCode: number): readonly string[] {
  return ['/bin/sh', '-c', `until [ -e ${file} ]; do sleep 0.02; done; exit ${exitCode}`];
}

const pidsOf = async (cluster: Cluster, name: string): Promise<readonly number[]> =>
  (await cluster.ranksOf(name)).map(({ pid }) => pid).sort((left, right) => left - right);

test('ranks outlive the kill -9 of their agents: they are adopted, train on, and the job never restarts', async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    await create(cluster, training({ name: 'survivor', workers: 4, gpusPerWorker: 2, out: cluster.work, steps: 300 }));
    await untilStep(cluster, 'survivor', 10);
    const before = await pidsOf(cluster, 'survivor');
    expect(before.length).toBe(4);
    for (const node of ['n1', 'n3']) {
      await cluster.agent(node).kill();
      await cluster.startAgent(node);
    }
    await cluster.untilNodesReady();
    expect(await pidsOf(cluster, 'survivor')).toEqual(before);

    const { attempts } = await untilFinished(cluster, 'survivor', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 Succeeded']);
    const history = await readHistory(cluster.work, 'survivor');
    expect(history.filter(({ what }) => what === 'start' || what === 'second-start').length).toBe(4);
    expect(new Set(history.map(({ pid }) => pid)).size).toBe(4);
    const told = reasonsOf(await eventsOf(cluster, 'TrainingJob', 'survivor'));
    expect(told.filter((reason) => reason === 'WorkerLost' || reason === 'Stopping')).toEqual([]);
  });
});

test('the exit code of a rank that ended while its agent was dead is kept', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 1) }, async (cluster) => {
    const go = join(cluster.work, 'go');
    await create(cluster, job({ name: 'orphan', command: waitingFor(go, 7) }));
    await untilJob(cluster, 'orphan', ({ phase }) => phase === 'Running', { what: 'runs' });
    const pids = await pidsOf(cluster, 'orphan');
    expect(pids.length).toBeGreaterThan(0);
    await cluster.agent('n1').kill();
    await writeFile(go, '');
    await waitUntil(async () => ((await cluster.processesOf('orphan')).length === 0 ? true : undefined), {
      what: 'the rank and its launcher ended',
    });
    await cluster.startAgent('n1');
    const { attempts, message, ranks } = await untilFinished(cluster, 'orphan', 'Failed');
    expect(printAttempts(attempts)).toEqual(['1 ApplicationFailure charged']);
    expect(message).toBe('rank 0 on n1 exited with 7');
    expect(ranks.map(({ exitCode }) => exitCode)).toEqual([7]);
  });
});

test('a killed rank is noticed within one second, stops its whole gang, and is charged', async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    await create(cluster, training({ name: 'victim', workers: 4, gpusPerWorker: 2, out: cluster.work, steps: 10_000 }));
    await untilStep(cluster, 'victim', 10);
    const victim = (await cluster.ranksOf('victim')).find(({ env }) => env.get('RANK') === '2');
    assert(victim !== undefined, 'rank 2 runs');
    const others = (await pidsOf(cluster, 'victim')).filter((pid) => pid !== victim.pid);
    const killedAtMs = Date.now();
    signalAll([victim.pid], 'SIGKILL');
    const ended = await untilEvent(cluster, { kind: 'TrainingJob', name: 'victim', reason: 'WorkerEnded' });
    expect(ended.message).toBe('attempt 1 worker 2: rank 2 on n3 was ended by SIGKILL');
    expect(timeOf(ended) - killedAtMs).toBeLessThanOrEqual(1000);
    const { attempts, message } = await untilFinished(cluster, 'victim', 'Failed');
    expect(printAttempts(attempts)).toEqual(['1 ApplicationFailure charged']);
    expect(message).toBe('rank 2 on n3 was ended by SIGKILL');
    expect((await Promise.all(others.map(isAlive))).some(Boolean)).toBe(false);
  });
});
