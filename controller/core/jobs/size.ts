import { isAllowedSize, sizeRange, specOfSize } from '#vocabulary/elastic.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';

type Sizing = Pick<JobView, 'spec'> & Partial<Pick<JobView, 'phase' | 'attempts' | 'nomination'>>;

/** Workers that it has, or was promised; else what it asks for at first. */
export function sizeOf({ spec, phase, attempts, nomination = null }: Sizing): number {
  const attempt = phase === undefined || attempts === undefined ? undefined : currentAttempt({ phase, attempts });
  return attempt?.placement.length ?? nomination?.placement.length ?? spec.workers;
}

/** All GPUs of the gang as it is now. */
export const milliOf = (job: Sizing): number => sizeOf(job) * job.spec.gpusPerWorker * milliPerGpu(job.spec);

/** The spec of the gang as it is now. */
export const specNow = (job: Sizing): JobSpec => specOfSize(job.spec, sizeOf(job));

/** As the smallest gang that it can be: as such it waits. The job itself when it has one size only. */
export function atLeast<J extends Pick<JobView, 'spec'>>(job: J): J {
  if (job.spec.elastic === null) return job;
  const spec = specOfSize(job.spec, sizeRange(job.spec).min);
  return spec === job.spec ? job : { ...job, spec };
}

/**
 * What it asks for when it is placed. After a fault of the machine that is the size that it had, so that its sound workers
 * stay where they are.
 */
export function askedSize({ spec, attempts }: Pick<JobView, 'spec' | 'attempts'>): number {
  const last = attempts.at(-1);
  const reason = last?.end?.reasons[0];
  const wasCut = reason === 'NodeFailure' || reason === 'GpuFailure';
  return last !== undefined && wasCut && isAllowedSize(spec, last.placement.length) ? last.placement.length : spec.workers;
}

/** Whether it can be asked to change its size while it runs. What a gang has that is alone in its domains is more than its GPUs: it stays as it is. */
export function isResizable({ spec }: Pick<JobView, 'spec'>): boolean {
  if (spec.elastic === null || !spec.preemptible || spec.exclusive !== null) return false;
  const { min, max } = sizeRange(spec);
  return min < max;
}

/** It leaves, or has left, to come back with more workers. */
export const isGrowth = ({ move, attempts }: Pick<JobView, 'move' | 'attempts'>): boolean =>
  move?.kind === 'asked' && move.placement.length > (attempts.at(-1)?.placement.length ?? Infinity);
