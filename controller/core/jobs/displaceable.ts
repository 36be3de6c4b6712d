import type { JobRecord, State } from '../state/state.ts';
import type { StateView } from '../state/view.ts';

/**
 * How many running jobs may be asked to leave, by priority: most waiting jobs can ask nobody, and this tells so without
 * a look at a hundred thousand jobs that run. To be taken back before, and counted again after, a change of the job's
 * phase or spec.
 */
export function countDisplaceable(state: State, job: JobRecord, sign: 1 | -1): void {
  const { preemptible, priority } = job.spec;
  if (job.phase.kind !== 'active' || !preemptible) return;
  const count = (state.displaceable.get(priority) ?? 0) + sign;
  if (count === 0) state.displaceable.delete(priority);
  else state.displaceable.set(priority, count);
}

/** Of the running jobs that may be asked to leave, the lowest priority; null: there are none. */
export function lowestDisplaceable(state: StateView): number | null {
  let lowest: number | null = null;
  for (const priority of state.displaceable.keys()) if (lowest === null || priority < lowest) lowest = priority;
  return lowest;
}
