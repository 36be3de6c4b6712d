/** `spec.elastic`: the range of sizes, and why it is refused. */
import type { Elastic } from '#gen/shoal/v1/training_job_pb.js';
import type { Sized } from '#vocabulary/elastic.ts';
import { meshStep, replicaGpus, sizeStep } from '#vocabulary/elastic.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { Problems } from './fieldProblem.ts';
import { worldSizeMax } from './gangShape.ts';

type Shape = Omit<Sized, 'elastic'>;

/** What it finds wrong goes to `problems`; the range is then of no use. */
export function compileElastic(elastic: Elastic | undefined, shape: Shape, problems: Problems): JobSpec['elastic'] {
  if (elastic === undefined) return null;
  const { minWorkers, maxWorkers } = elastic;
  const problem = judgeRange(minWorkers, maxWorkers, shape) ?? judgeSteps(minWorkers, maxWorkers, shape);
  if (problem !== null) problems.add('spec.elastic', problem);
  return { minWorkers, maxWorkers };
}

function judgeRange(minWorkers: number, maxWorkers: number, { workers, gpusPerWorker }: Shape): string | null {
  if (minWorkers > maxWorkers) return `minWorkers ${minWorkers} is more than maxWorkers ${maxWorkers}`;
  if (workers < minWorkers || workers > maxWorkers)
    return `spec.workers ${workers}, at which it starts, is outside; allowed: minWorkers ${minWorkers} to maxWorkers ${maxWorkers}`;
  const gpus = maxWorkers * gpusPerWorker;
  return gpus > worldSizeMax
    ? `maxWorkers ${maxWorkers} x gpusPerWorker ${gpusPerWorker} = ${gpus} GPUs; allowed: at most ${worldSizeMax}`
    : null;
}

/** A mesh that does not agree with the workers, and segments that do not nest, are told elsewhere. */
function judgeSteps(minWorkers: number, maxWorkers: number, shape: Shape): string | null {
  const step = sizeStep(shape);
  const { workers } = shape;
  if (workers % step === 0) return null;
  const why = describeStep(shape);
  const least = Math.ceil(minWorkers / step) * step;
  if (least > maxWorkers) return `no size from minWorkers ${minWorkers} to maxWorkers ${maxWorkers} is a multiple of ${why}`;
  const some = [least, least + step, least + 2 * step].filter((size) => size <= maxWorkers);
  const times = Math.floor(workers / step);
  return `spec.workers ${workers} = ${times} x ${step} + ${workers % step} is no multiple of ${why}; allowed: ${some.join(', ')}${(some.at(-1) ?? 0) + step > maxWorkers ? '' : ', …'}`;
}

/** `4 workers: tensor 4 = 4 GPUs on gpusPerWorker 1`. */
function describeStep(shape: Shape): string {
  const { mesh, gpusPerWorker, segments } = shape;
  const parts = [
    ...(meshStep(shape) === 1 ? [] : [`${replicaGpus(mesh)} GPUs of one data replica are ${meshStep(shape)} workers of ${gpusPerWorker}`]),
    ...(segments.length === 0 ? [] : [`segments are of ${segments.map(({ workers }) => workers).join(' and ')} workers`]),
  ];
  return `${sizeStep(shape)} workers (${parts.join(', ')})`;
}
