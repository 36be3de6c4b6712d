import type { Input } from '#core/inputs.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { queueName } from '#vocabulary/ids.ts';
import { gpuModel } from './fakeNodes.ts';
import type { Setup, WorkloadClass } from './setups.ts';

export interface Arrival {
  readonly atMs: number;
  readonly uid: string;
  readonly of: WorkloadClass;
  readonly input: Extract<Input, { kind: 'applyJob' }>;
}

/** Of one queue, from the set-up's begin: each class comes at its own pace, all queues alike. In the order of time. */
export function arrivalsOf(setup: Setup): readonly Arrival[] {
  const arrivals = queueNames(setup).flatMap(({ queue }) =>
    setup.classes.flatMap((of) =>
      Array.from({ length: of.count }, (_, index): Arrival => {
        const name = `${queue}-${of.name}-${String(index).padStart(3, '0')}`;
        const spec = { ...of.spec, queue: queueName(queue), preemptible: true, checkpoint: null };
        const input = applyJob(name, spec, `user-of-${queue}`);
        return { atMs: (index + 1) * of.intervalMs, uid: input.uid, of, input };
      }),
    ),
  );
  return arrivals.sort((left, right) => left.atMs - right.atMs || (left.uid < right.uid ? -1 : 1));
}

export function applyQueues(setup: Setup): readonly Input[] {
  const all = (gpus: number): Record<string, number> => ({ [gpuModel]: gpus });
  const sum = all(setup.guaranteed * setup.queuesPerCohort);
  const cohorts = Array.from({ length: setup.cohorts }, (_, cohort) => applyQueue(cohortName(cohort), { guaranteed: sum, limit: sum }));
  const queues = queueNames(setup).map(({ cohort, queue }) =>
    applyQueue(queue, {
      parent: queueName(cohort),
      guaranteed: all(setup.guaranteed),
      limit: all(Math.min(setup.limit, sum[gpuModel] ?? 0)),
    }),
  );
  return [...cohorts, ...queues];
}

const cohortName = (cohort: number): string => `cohort-${cohort}`;

function queueNames({ cohorts, queuesPerCohort }: Setup): readonly { readonly cohort: string; readonly queue: string }[] {
  return Array.from({ length: cohorts }, (_, cohort) =>
    Array.from({ length: queuesPerCohort }, (_each, queue) => ({
      cohort: cohortName(cohort),
      queue: `cq-${cohort}-${String(queue).padStart(2, '0')}`,
    })),
  ).flat();
}
