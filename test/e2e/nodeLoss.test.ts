import { expect } from 'vitest';
import { withCluster, type Cluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { expectNodeToReturn, readLoss, untilRunsElsewhere } from './lossChecks.ts';
import { signalAll } from './processes.ts';
import { create, printAttempts, untilCheckpoint, untilFinished } from './questions.ts';

const nodes = ['n1', 'n2', 'n3'].map((name) => ({ name }));

/** The agent and all processes of its ranks, as a machine that hangs would have them. */
async function pidsOn(cluster: Cluster, node: string, jobName: string): Promise<readonly number[]> {
  const processes = await cluster.processesOf(jobName);
  const ranks = processes.filter(({ env }) => env.get('SHOAL_SOCKET')?.startsWith(`${cluster.nodeData(node)}/`));
  return [cluster.agent(node).pid, ...ranks.map(({ pid }) => pid)];
}

test('a frozen node is lost within 10 s, its gang goes on elsewhere, and thawed it ends what it holds before it takes work', async () => {
  await withCluster({ nodes }, async (cluster) => {
    const steps = 450;
    await create(cluster, training({ name: 'gang', workers: 2, gpusPerWorker: 2, out: cluster.work, steps }));
    await untilCheckpoint(cluster, 'gang', 20);
    const frozen = await pidsOn(cluster, 'n2', 'gang');
    expect(frozen.length).toBeGreaterThanOrEqual(3);
    const frozenAtMs = Date.now();
    signalAll(frozen, 'SIGSTOP');

    const loss = await readLoss(cluster, { node: 'n2', job: 'gang' });
    expect(loss.lostAtMs - frozenAtMs).toBeLessThanOrEqual(10_000);
    await untilRunsElsewhere(cluster, 'gang', ['n1[0,1]', 'n3[0,1]']);

    signalAll(frozen, 'SIGCONT');
    await expectNodeToReturn(cluster, { node: 'n2', job: 'gang', pids: frozen.slice(1), loss });
    const { attempts, restarts } = await untilFinished(cluster, 'gang', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 NodeFailure', '2 Succeeded']);
    expect(restarts).toMatchObject({ application: 0, infrastructure: 1, preemption: 0 });
    const history = await readHistory(cluster.work, 'gang');
    expect(history.filter(({ what }) => what === 'done').map(({ attempt, sum }) => ({ attempt, sum }))).toEqual(
      [1, 2].map(() => ({ attempt: 2, sum: sumOfSteps(steps) })),
    );
  });
});

test('a node that loses power comes back empty and takes work at once', async () => {
  await withCluster({ nodes: nodes.slice(0, 2) }, async (cluster) => {
    await create(cluster, training({ name: 'alone', gpusPerWorker: 2, out: cluster.work, steps: 300 }));
    const { attempts: first } = await untilCheckpoint(cluster, 'alone', 20);
    const node = first[0]?.placement[0]?.node ?? '';
    signalAll(await pidsOn(cluster, node, 'alone'), 'SIGKILL');
    await readLoss(cluster, { node, job: 'alone' });
    await cluster.startAgent(node);
    await cluster.untilNodesReady();
    const { attempts } = await untilFinished(cluster, 'alone', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 NodeFailure', '2 Succeeded']);
    expect((await readHistory(cluster.work, 'alone')).filter(({ what }) => what === 'second-start')).toEqual([]);
  });
});
