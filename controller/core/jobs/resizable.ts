import type { JobRecord, State } from '../state/state.ts';
import { isResizable } from './size.ts';

/** Brings the index in step after a change of the job's phase or spec: most passes look at elastic jobs only to find that there are none. */
export function noteResizable(state: State, job: JobRecord): void {
  if (job.phase.kind === 'active' && isResizable(job)) state.resizable.add(job.uid);
  else state.resizable.delete(job.uid);
}
