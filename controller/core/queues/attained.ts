import type { JobSpec, Placement } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { Policy } from '../context.ts';
import { currentAttempt } from '../state/state.ts';
import type { AttemptView, JobView } from '../state/view.ts';

/** What is asked of a job: also of one that does not exist yet. */
export type Waiting = Pick<JobView, 'uid' | 'spec'> & { readonly phase?: JobView['phase'] };

/** Levels of attained service, for one policy. */
export interface Levels {
  /** Milli-GPU-milliseconds at which the level grows. */
  readonly thresholds: readonly number[];
  of(attained: number): number;
  /** In the order of those who wait; without time slicing they are all alike. */
  readonly inLine: (job: Pick<JobView, 'attempts' | 'attained'>) => number;
}

const known = new WeakMap<Policy, Levels>();

/** The same object for the same policy. */
export function levelsOf(policy: Policy): Levels {
  const levels = known.get(policy) ?? makeLevels(policy);
  known.set(policy, levels);
  return levels;
}

function makeLevels({ timeSlicing, attainedLevels: { firstMs, factor, count } }: Policy): Levels {
  const thresholds = Array.from({ length: count }, (_, level) => firstMs * 1000 * factor ** level);
  const of = (attained: number): number => {
    if (attained === 0) return 0;
    const level = thresholds.findIndex((threshold) => attained < threshold);
    return level === -1 ? thresholds.length : level;
  };
  const inLine: Levels['inLine'] = ({ attempts, attained }) => {
    if (!timeSlicing) return 0;
    // After a fault of the machine it goes on with the turn that was cut short, before those who wait.
    const reason = attempts.at(-1)?.end?.reasons[0];
    return reason === 'NodeFailure' || reason === 'GpuFailure' || reason === 'Drained' ? -1 : of(attained);
  };
  return { thresholds, of, inLine };
}

/** What one attempt holds, in milli-GPUs. */
export function heldMilli({ spec }: { readonly spec: JobSpec }, { placement }: { readonly placement: Placement }): number {
  return placement.reduce((sum, place) => sum + place.gpus.length, 0) * milliPerGpu(spec);
}

/** By all that have ended, in milli-GPU-milliseconds. */
export function attainedBy(
  job: { readonly spec: JobSpec },
  attempts: readonly Pick<AttemptView, 'placement' | 'placedAtMs' | 'endedAtMs'>[],
): number {
  return attempts.reduce((sum, one) => sum + heldMilli(job, one) * Math.max(0, (one.endedAtMs ?? one.placedAtMs) - one.placedAtMs), 0);
}

/** With the attempt under way, in milli-GPU-milliseconds. */
export function attainedNow(job: Pick<JobView, 'spec' | 'phase' | 'attempts' | 'attained'>, nowMs: number): number {
  const attempt = currentAttempt(job);
  return job.attained + (attempt === undefined ? 0 : heldMilli(job, attempt) * Math.max(0, nowMs - attempt.placedAtMs));
}

/** Since when the job could have run, as far as time goes; now for one that does not wait. */
export function waitsSinceMs({ spec, phase }: Pick<Waiting, 'spec' | 'phase'>, nowMs: number): number {
  return phase?.kind === 'pending' ? Math.min(nowMs, Math.max(phase.sinceMs, spec.startAfterMs ?? 0)) : nowMs;
}

/** When the attempt had saved last, or began to have something to lose. */
export const savedAtMs = (job: Pick<JobView, 'checkpoint'>, attempt: Pick<AttemptView, 'number' | 'placedAtMs'>): number =>
  job.checkpoint?.attempt === attempt.number ? job.checkpoint.atMs : attempt.placedAtMs;

/** The first whole second at or after it: what changes by time alone is looked at once a second at most. */
export const wholeSecond = (atMs: number): number => Math.ceil(atMs / 1000) * 1000;
