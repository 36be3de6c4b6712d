import type { JobSpec } from '#vocabulary/job.ts';
import type { JobView } from '../../state/view.ts';

/**
 * Jobs of one user, queue and standing that are alike in all that a refusal depends on are kin: if the oldest of them finds
 * no room, no quota and nobody to ask, then neither do the younger ones, which wait for less long. So a pass looks at the
 * first that is refused, and not at the thousands behind it.
 *
 * The key of a job's kin; null: something sets it apart, and it stands alone.
 */
export function kinKey(job: JobView): string | null {
  if (hasOwnWay(job) || waitsInItsOwnTime(job)) return null;
  const { array, spec } = job;
  const arrayOfLimit = array !== null && array.parallelism !== null ? array.name : '';
  return `${arrayOfLimit} ${textOf(spec)}`;
}

/** Somebody, or the scheduler, said something of this very job; or it ran before, so that it has places, time and a turn of its own. */
function hasOwnWay(job: JobView): boolean {
  const { held, next, nomination, target, move, attempts } = job;
  return attempts.length > 0 || [held, next, nomination, target, move].some((mark) => mark !== null);
}

/** By the clock, or by other jobs, it may be refused for a reason that the next one does not have. */
function waitsInItsOwnTime({ spec, phase, createdAtMs }: JobView): boolean {
  if (phase.kind !== 'pending' || phase.sinceMs !== createdAtMs) return true;
  if (spec.after.length > 0 || spec.startAfterMs !== null) return true;
  return spec.constraints.some(({ mode, waitMs }) => mode === 'preferred' && waitMs !== null);
}

const printed = new WeakMap<JobSpec, string>();

/** All but what matters only once it runs. A field that is not named here counts. */
function textOf(spec: JobSpec): string {
  const known = printed.get(spec);
  if (known !== undefined) return known;
  const { template, checkpoint, restarts: _, unserved: _kept, ...wishes } = spec;
  const text = JSON.stringify([wishes, template.cpuMilli, template.memoryBytes, checkpoint?.graceMs ?? null]);
  printed.set(spec, text);
  return text;
}
