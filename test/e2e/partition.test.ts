import { expect, onTestFinished } from 'vitest';
import { withCluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { expectNodeToReturn, readLoss, untilRunsElsewhere } from './lossChecks.ts';
import { create, printAttempts, untilCheckpoint, untilFinished } from './questions.ts';
import { makeSecondHost } from './twoHosts.ts';
import { waitUntil } from './waitUntil.ts';

test('a host whose cable is cut is lost within 10 s, what its ranks do alone counts for nothing, and they end before it takes work', async (context) => {
  const made = await makeSecondHost();
  if (!made.ok) return context.skip(made.reason);
  const { host } = made;
  onTestFinished(() => host.remove());
  const nodes = [{ name: 'n1' }, { name: 'n2', within: host.within }, { name: 'n3' }];
  await withCluster({ nodes, host: host.firstAddress }, async (cluster) => {
    const steps = 900;
    await create(cluster, training({ name: 'gang', workers: 2, gpusPerWorker: 2, out: cluster.work, steps }));
    await untilCheckpoint(cluster, 'gang', 20);
    const there = (await cluster.processesOf('gang')).filter(({ env }) =>
      env.get('SHOAL_SOCKET')?.startsWith(`${cluster.nodeData('n2')}/`),
    );
    const cutAtMs = Date.now();
    await host.cut();

    const loss = await readLoss(cluster, { node: 'n2', job: 'gang' });
    expect(loss.lostAtMs - cutAtMs).toBeLessThanOrEqual(10_000);
    await untilRunsElsewhere(cluster, 'gang', ['n1[0,1]', 'n3[0,1]']);
    const wentOn = async (): Promise<true | undefined> => {
      const alone = (await readHistory(cluster.work, 'gang')).filter(({ attempt, rank }) => attempt === 1 && rank === 1);
      const after = alone.filter(({ atMs, what }) => atMs > loss.lostAtMs && what === 'checkpoint');
      return after.some(({ step }) => BigInt(step) > loss.lastCheckpointStep) ? true : undefined;
    };
    await waitUntil(wentOn, { what: 'the rank that is cut off trained on and saved a checkpoint' });

    await host.heal();
    await expectNodeToReturn(cluster, { node: 'n2', job: 'gang', pids: there.map(({ pid }) => pid), loss });
    const { attempts, restarts } = await untilFinished(cluster, 'gang', 'Succeeded', 90_000);
    expect(printAttempts(attempts)).toEqual(['1 NodeFailure', '2 Succeeded']);
    expect(attempts[0]).toMatchObject({ lastStep: loss.lastStep, lastCheckpointStep: loss.lastCheckpointStep });
    expect(restarts).toMatchObject({ application: 0, infrastructure: 1 });
    const done = (await readHistory(cluster.work, 'gang')).filter(({ what }) => what === 'done');
    expect(done.map(({ attempt, sum }) => ({ attempt, sum }))).toEqual([1, 2].map(() => ({ attempt: 2, sum: sumOfSteps(steps) })));
  });
});
