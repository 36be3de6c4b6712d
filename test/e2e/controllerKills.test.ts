/**
 * The controller is killed at random moments while jobs are submitted and run: while it recovers, while it acknowledges,
 * while it places. SHOAL_KILLS and SHOAL_JOBS set how much of it (the full run is 200 and 50), SHOAL_SEED which one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { RpcError } from '#rpc/rpcError.ts';
import { createRandom, type Random } from '#sim/random.ts';
import { fourNodes, withCluster, type Cluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { apply, printAttempts, untilFinished } from './questions.ts';

const numberFrom = (name: string, other: number): number => Number(process.env[name] ?? other);
const kills = numberFrom('SHOAL_KILLS', 12);
const jobs = numberFrom('SHOAL_JOBS', 20);
const seed = numberFrom('SHOAL_SEED', 20_261_123);
/** Longer than a start takes, so that some kills meet it at work and some at its recovery. */
const lifeMsMax = 2500;
const stepsMax = 60;

test(`no acknowledged job is lost and none starts twice over ${kills} kill -9 of the controller (seed ${seed})`, {
  timeout: 120_000 + kills * 6000,
}, async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    // A stream for each purpose: how long one of them waits does not change what the other one does.
    const wanted = Array.from({ length: jobs }, (_, at) => wantedJob(at, createRandom(seed + at)));
    const submitting = submitAll(cluster, wanted, createRandom(seed + 1_000_003));
    await killOften(cluster, createRandom(seed + 2_000_003));
    const acknowledged = await submitting;
    expect(acknowledged.size).toBe(jobs);

    for (const { name, steps, workers } of wanted) {
      const { attempts } = await untilFinished(cluster, name, 'Succeeded', 120_000);
      expect([name, ...printAttempts(attempts)]).toEqual([name, '1 Succeeded']);
      const { resource } = await cluster.client.get({ object: { kind: 'TrainingJob', name } });
      expect(resource?.object.case === 'trainingJob' && resource.object.value.metadata?.uid).toBe(acknowledged.get(name));
      const history = await readHistory(cluster.work, name);
      expect(history.filter(({ what }) => what === 'start').length).toBe(workers);
      expect(history.filter(({ what }) => what === 'second-start')).toEqual([]);
      expect(history.filter(({ what }) => what === 'done').map(({ sum }) => sum)).toEqual(
        Array.from({ length: workers }, () => sumOfSteps(steps)),
      );
    }
  });
});

interface WantedJob {
  readonly name: string;
  readonly workers: number;
  readonly gpusPerWorker: number;
  readonly steps: number;
}

function wantedJob(at: number, random: Random): WantedJob {
  return { name: `job-${at}`, workers: 1 + random.below(3), gpusPerWorker: 1 + random.below(2), steps: 5 + random.below(stepsMax) };
}

/** One after the other, each until it is acknowledged. The uids as they were acknowledged. */
async function submitAll(cluster: Cluster, wanted: readonly WantedJob[], random: Random): Promise<ReadonlyMap<string, string>> {
  const uids = new Map<string, string>();
  // Over the whole time of the kills, not all before the first one.
  const pauseMsMax = (kills * lifeMsMax) / jobs;
  for (const each of wanted) {
    uids.set(each.name, await submit(cluster, each));
    await sleep(random.below(pauseMsMax));
  }
  return uids;
}

async function submit(cluster: Cluster, wanted: WantedJob): Promise<string> {
  const manifest = training({ ...wanted, out: cluster.work });
  for (;;) {
    const client = cluster.connect();
    try {
      const result = await apply({ client }, manifest);
      // `unchanged`: an earlier call was stored, and its answer did not arrive.
      if (result.outcome === 'created' || result.outcome === 'unchanged') return result.uid;
      throw new Error(`apply ${wanted.name}: ${result.outcome} ${JSON.stringify(result.problems)}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      await sleep(50);
    } finally {
      client.close();
    }
  }
}

async function killOften(cluster: Cluster, random: Random): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.below(lifeMsMax));
    await cluster.controller.kill();
    if (kill < kills - 1) await cluster.spawnController();
  }
  await cluster.startController();
}
