import type { JobName } from '#vocabulary/ids.ts';
import type { Reply } from '../inputs.ts';
import { suggest } from '../suggest.ts';
import type { JobView, StateView } from '../state/view.ts';

/** What requests that name a job are answered. */
export function findJob(state: StateView, name: JobName): JobView | undefined {
  const uid = state.jobsByName.get(name);
  return uid === undefined ? undefined : state.jobs.get(uid);
}

export function jobNotFound(state: StateView, name: JobName): Reply {
  return { kind: 'refused', code: 'NOT_FOUND', field: '', message: `jobs "${name}" not found${suggest(name, state.jobsByName.keys())}` };
}

export function jobChanged(job: JobView, changed: boolean): Reply {
  return { kind: 'changed', changed, jobs: [job.name], uid: job.uid };
}

/** null: the job is neither over nor on its way out. `verb`: what cannot be done to it. */
export function refuseIfOver(job: JobView, verb: string): Reply | null {
  const why = job.phase.kind === 'finished' ? `has finished (${job.phase.outcome})` : job.wanted === 'delete' ? 'is being deleted' : null;
  return why === null
    ? null
    : { kind: 'refused', code: 'FAILED_PRECONDITION', field: '', message: `job ${job.name} ${why} and cannot be ${verb}` };
}
