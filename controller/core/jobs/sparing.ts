import type { JobRecord, State } from '../state/state.ts';

/** Keeps the index of jobs that want spare nodes; to be called when a job's spec or phase has changed. */
export function noteSparing(state: State, job: JobRecord): void {
  if (job.spec.spares > 0 && job.phase.kind !== 'finished') state.sparing.add(job.uid);
  else state.sparing.delete(job.uid);
}
