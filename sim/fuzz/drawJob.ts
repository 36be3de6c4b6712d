import type { Random } from '../random.ts';
import type { DrawnCluster } from './drawCluster.ts';
import { secondsText, type Mapping, type Value } from './fuzzCase.ts';

export interface JobParts {
  readonly cluster: DrawnCluster;
  readonly queues: readonly string[];
  /** Names of jobs that come before it, and may come after. */
  readonly others: readonly string[];
}

interface DrawnJob {
  readonly spec: Mapping;
  readonly run: Mapping;
}

const optional = (isThere: boolean, fields: Mapping): Mapping => (isThere ? fields : {});

/** Nearly all that a manifest can ask for, each now and then; most jobs are simple. Not `elastic`, `traffic` and `axisOrder`. */
export function drawJob(random: Random, parts: JobParts): DrawnJob {
  const { cluster, queues } = parts;
  const workers = drawWorkers(random, cluster);
  const gpus = drawGpus(random, cluster);
  const run = drawRun(random);
  const spec = {
    ...optional(queues[0] !== 'default' || queues.length > 1, { queue: random.pick(queues) ?? 'default' }),
    workers,
    ...gpus,
    ...drawMesh(random, workers, gpus['gpusPerWorker']),
    ...optional(random.chance(0.1), { spares: 1 + random.below(2) }),
    ...optional(random.chance(0.6), { priority: random.pick([0, 10, 20, 50, 90, 100]) ?? 20 }),
    ...optional(random.chance(0.2), { preemptible: false }),
    ...optional(random.chance(0.1), { gpuModel: [...cluster.models].reverse() }),
    ...drawPlacement(random, workers, cluster),
    ...drawTimes(random),
    ...optional(random.chance(0.15), { after: drawAfter(random, parts.others) }),
    ...optional(random.chance(0.6), { restarts: { max: random.pick([0, 1, 5, 50]) ?? 1 } }),
    ...optional(workers === 1 && random.chance(0.1), { array: { count: 1 + random.below(4), parallelism: 1 + random.below(2) } }),
    ...optional(random.chance(0.15), {
      template: {
        command: ['simulated'],
        resources: { cpu: random.pick(['500m', '4', '8']) ?? '4', memory: random.pick(['1Gi', '32Gi']) ?? '1Gi' },
      },
    }),
    ...optional(random.chance(0.3), { checkpoint: { directory: 'checkpoints', grace: random.pick(['1s', '30s', '2m']) ?? '30s' } }),
  };
  return { spec, run };
}

function drawWorkers(random: Random, { nodes }: DrawnCluster): number {
  if (random.chance(0.4)) return 1;
  return 1 + random.below(Math.min(12, 2 * nodes.length));
}

function drawGpus(random: Random, { gpusMax, profiles }: DrawnCluster): Mapping {
  if (profiles.length > 0 && random.chance(0.4)) return { gpuProfile: random.pick(profiles) ?? '1g.10gb' };
  if (random.chance(0.15)) return { gpuShare: `${random.pick([100, 300, 500, 700]) ?? 500}m` };
  const gpusPerWorker = random.pick([0, 1, 1, 2, 2, 4, gpusMax, gpusMax, gpusMax].filter((gpus) => gpus <= gpusMax)) ?? 1;
  return { gpusPerWorker, ...optional(random.chance(0.2), { processesPerWorker: 'gpu' }) };
}

/** Its product is the number of GPUs. */
function drawMesh(random: Random, workers: number, gpusPerWorker: Value | undefined): Mapping {
  if (typeof gpusPerWorker !== 'number' || gpusPerWorker === 0 || !random.chance(0.2)) return {};
  return { mesh: { [random.pick(['data', 'pipeline', 'expert']) ?? 'data']: workers, tensor: gpusPerWorker } };
}

function drawPlacement(random: Random, workers: number, { levels, nodes }: DrawnCluster): Mapping {
  const level = (): string => random.pick([...levels, 'node']) ?? 'node';
  const part = [2, 3, 4].find((size) => workers > size && workers % size === 0);
  const placement = {
    ...optional(random.chance(0.15), { constraints: [{ level: level(), mode: 'required' }] }),
    ...optional(random.chance(0.08), { constraints: [{ level: level(), mode: 'preferred', wait: random.pick(['30s', '10m']) ?? '30s' }] }),
    ...optional(part !== undefined && random.chance(0.3), { segments: [{ level: level(), workers: part ?? 1 }] }),
    ...optional(random.chance(0.08), { spread: { level: level(), max: 1 + random.below(3) } }),
    ...optional(random.chance(0.06), { exclusive: level() }),
    ...optional(random.chance(0.1), { avoidNodes: [`n${1 + random.below(nodes.length)}`] }),
    ...optional(random.chance(0.04), { nodeSelector: { 'shoal.dev/spare': 'true' } }),
    ...optional(random.chance(0.1), { packing: 'even' }),
  };
  return Object.keys(placement).length === 0 ? {} : { placement };
}

/** Time begins in 1970. */
const timestamp = (minutes: number): string => new Date(minutes * 60_000).toISOString().replace('.000', '');

function drawTimes(random: Random): Mapping {
  return {
    ...optional(random.chance(0.3), { maxRuntime: random.pick(['2m', '10m', '30m', '2h', '3d']) ?? '10m' }),
    // Not more than the shortest of these.
    ...optional(random.chance(0.15), { minRuntime: random.pick(['30s', '2m']) ?? '2m' }),
    ...optional(random.chance(0.1), { notBefore: timestamp(1 + random.below(90)) }),
    ...optional(random.chance(0.08), { deadline: timestamp(100 + random.below(100)) }),
  };
}

function drawAfter(random: Random, others: readonly string[]): readonly Mapping[] {
  const job = random.pick(others);
  if (job === undefined) return [];
  return [{ job, condition: random.pick(['Succeeded', 'Failed', 'Finished', 'Started']) ?? 'Finished' }];
}

/** How the program behaves: it comes to an end by itself, now and then a bad one. */
function drawRun(random: Random): Mapping {
  const seconds = (...of: readonly number[]): string => secondsText(random.pick(of) ?? 1);
  return {
    work: seconds(20, 300, 900, 1800, 3600, 7200),
    step: seconds(1, 5, 10, 60),
    ...optional(random.chance(0.7), { checkpointEvery: seconds(10, 60, 300), checkpointTakes: seconds(0, 1, 10) }),
    ...optional(random.chance(0.2), { memoryCheckpointEvery: seconds(10, 30) }),
    ...optional(random.chance(0.5), { loadTakes: seconds(1, 10, 60) }),
    ...optional(random.chance(0.3), { onSuspend: random.pick(['save', 'exit', 'ignore']) ?? 'save' }),
    ...optional(random.chance(0.08), { exit: { after: seconds(1, 60, 600), code: random.below(2) } }),
  };
}
