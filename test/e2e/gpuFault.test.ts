import { request } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { assert } from '#vocabulary/assert.ts';
import { fourNodes, withCluster, type Cluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { create, getNode, placesOf, printAttempts, untilCheckpoint, untilEvent, untilFinished } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

/** Says something to the simulated GPUs of a node. */
async function tellGpus(cluster: Cluster, node: string, command: object): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const call = request({ socketPath: join(cluster.nodeData(node), 'gpu.sock'), path: '/v1/faults', method: 'POST' }, (response) => {
    response.resume();
    response.on('end', () => resolve(response.statusCode ?? 0));
  });
  call.on('error', reject);
  call.end(JSON.stringify(command));
  const status = await promise;
  assert(status === 200, `the GPUs of ${node} answered ${status}`);
}

test('a GPU that fails under a job moves the job, charges nothing, and is used again only after it has healed', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 2) }, async (cluster) => {
    const steps = 300;
    await create(cluster, training({ name: 'unlucky', gpusPerWorker: 2, out: cluster.work, steps }));
    const { attempts: first } = await untilCheckpoint(cluster, 'unlucky', 20);
    const node = first[0]?.placement[0]?.node ?? '';
    await tellGpus(cluster, node, { gpu: 1, fault: 'xid', code: 79 });

    const unhealthy = await untilEvent(cluster, { kind: 'Node', name: node, reason: 'GpuUnhealthy' });
    expect(unhealthy.message).toBe('GPU 1: xid:79 Xid 79: GPU has fallen off the bus');
    const { attempts, restarts } = await untilFinished(cluster, 'unlucky', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 GpuFailure', '2 Succeeded']);
    expect(attempts[0]?.message).toBe(`GPU 1 of ${node}: xid:79 Xid 79: GPU has fallen off the bus`);
    expect(attempts.map(placesOf)).toEqual([[`${node}[0,1]`], [`${node === 'n1' ? 'n2' : 'n1'}[0,1]`]]);
    expect(Number(attempts[1]?.resumedFromStep)).toBeGreaterThanOrEqual(20);
    expect(restarts).toMatchObject({ application: 0, infrastructure: 1, preemption: 0 });
    expect((await readHistory(cluster.work, 'unlucky')).find(({ what }) => what === 'done')?.sum).toBe(sumOfSteps(steps));

    // Two gangs of two GPUs need both nodes whole.
    for (const name of ['left', 'right']) await create(cluster, training({ name, gpusPerWorker: 2, out: cluster.work, steps: 5 }));
    expect((await getNode(cluster, node)).status).toMatchObject({ gpusHealthy: 1 });
    await tellGpus(cluster, node, { gpu: 1, heal: true });
    await waitUntil(async () => ((await getNode(cluster, node)).status?.gpusHealthy === 2 ? true : undefined), {
      what: 'the GPU is healthy again',
    });
    const places = await Promise.all(
      ['left', 'right'].map(async (name) => (await untilFinished(cluster, name, 'Succeeded')).attempts.map(placesOf)),
    );
    expect(places.length).toBe(2);
    await create(cluster, training({ name: 'both', workers: 2, gpusPerWorker: 2, out: cluster.work, steps: 5 }));
    const both = await untilFinished(cluster, 'both', 'Succeeded');
    expect(both.attempts.map(placesOf)).toEqual([['n1[0,1]', 'n2[0,1]']]);
  });
});
