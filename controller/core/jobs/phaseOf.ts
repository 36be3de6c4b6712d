import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';

/** One word: what `get jobs` shows and `wait --for=phase=` compares with. */
export function phaseOf(job: JobView): string {
  switch (job.phase.kind) {
    case 'pending':
      return 'Pending';
    case 'suspended':
      return 'Suspended';
    case 'finished':
      return job.phase.outcome;
    case 'active': {
      const stage = currentAttempt(job)?.stage.kind ?? 'starting';
      return { starting: 'Starting', running: 'Running', suspending: 'Suspending', stopping: 'Stopping', ended: 'Stopping' }[stage];
    }
  }
}
