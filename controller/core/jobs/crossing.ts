import type { JobUid } from '#vocabulary/ids.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { AttemptRecord, JobRecord, State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { StateView } from '../state/view.ts';

/**
 * Gangs that stand in several domains of the outermost level share the few links between them, so a cluster may allow only
 * so many at a time (`Policy.crossZoneJobsMax`).
 */
export function noteCrossing(state: State, job: JobRecord, attempt: AttemptRecord, sign: 1 | -1): void {
  if (sign === -1) state.crossing.delete(job.uid);
  else if (mayCross(job.spec) && crosses(state, attempt.placement)) state.crossing.add(job.uid);
}

/** A node of it has another path now. */
export function renoteCrossing(state: State, uid: JobUid): void {
  const job = state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined) return;
  noteCrossing(state, job, attempt, -1);
  noteCrossing(state, job, attempt, 1);
}

/** A worker alone, and one without GPUs, sends nothing over those links that would matter. */
export const mayCross = ({ workers, gpusPerWorker }: Pick<JobSpec, 'workers' | 'gpusPerWorker'>): boolean =>
  workers > 1 && gpusPerWorker > 0;

export function crosses(state: Pick<StateView, 'nodes'>, placement: Placement): boolean {
  const outermost = (node: Placement[number]['node'] | undefined): string | undefined =>
    node === undefined ? undefined : (state.nodes.get(node)?.inventory.path[0] ?? node);
  const first = outermost(placement[0]?.node);
  return placement.some(({ node }) => outermost(node) !== first);
}
