import type { JobRecord, State } from '../state/state.ts';

/** Brings the index in step after the job's phase or checkpoint changed. */
export function noteSaved(state: State, job: JobRecord): void {
  if (job.phase.kind === 'active' && job.checkpoint !== null) state.saved.add(job.uid);
  else state.saved.delete(job.uid);
}
