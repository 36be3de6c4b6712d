import { expect } from 'vitest';
import type { TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import { fourNodes, withCluster } from './cluster.ts';
import { readHistory, sumOfSteps } from './history.ts';
import { training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { create, printAttempts, untilFinished, untilJob } from './questions.ts';

const policy = { restartCostMs: 500, growAfterIdleMs: 500, growRestMs: 1_500, growPaybackMs: 60_000 };

test('an elastic job shrinks for a newcomer and grows when it is gone, and does every step once', async () => {
  await withCluster({ nodes: fourNodes.slice(0, 2), policy }, async (cluster) => {
    const steps = 900;
    const elastic = { minWorkers: 1, maxWorkers: 4 };
    await create(
      cluster,
      training({ name: 'sweep', workers: 2, out: cluster.work, steps, stepMs: 20, checkpointEvery: 0, spec: { elastic } }),
    );
    // A rank that has said nothing yet cannot agree on a step to stop at.
    const isUnderWay = ({ ranks, attempts: all }: TrainingJobStatus): boolean =>
      ranks.every(({ step }) => step > (all.at(-1)?.resumedFromStep ?? 0n) + 3n);
    await untilJob(cluster, 'sweep', (status) => status.workers === 4 && isUnderWay(status), { what: 'has grown to all that is idle' });
    await create(cluster, training({ name: 'small', workers: 2, out: cluster.work, steps: 100, stepMs: 20 }));
    await untilJob(cluster, 'sweep', ({ phase, workers }) => phase === 'Running' && workers === 2, { what: 'has shrunk' });
    await untilFinished(cluster, 'small', 'Succeeded');
    const { attempts, restarts } = await untilFinished(cluster, 'sweep', 'Succeeded');
    expect(printAttempts(attempts)).toEqual([...attempts.slice(1).map((_, at) => `${at + 1} Resized`), `${attempts.length} Succeeded`]);
    expect(attempts.slice(0, 3).map(({ placement }) => placement.length)).toEqual([2, 4, 2]);
    expect(restarts).toMatchObject({ application: 0, infrastructure: 0, preemption: 0 });
    const history = await readHistory(cluster.work, 'sweep');
    const done = history.filter(({ what }) => what === 'done').map(({ sum }) => sum);
    expect(done.length).toBe(attempts.at(-1)?.placement.length);
    expect(new Set(done)).toEqual(new Set([sumOfSteps(steps)]));
    // Nothing that was saved is done again: rank 0 went through all steps in order.
    const first = history.filter(({ what, rank }) => what === 'step' && rank === 0).map(({ step }) => step);
    expect(first).toEqual(Array.from({ length: steps }, (_, at) => at + 1));
  });
});
