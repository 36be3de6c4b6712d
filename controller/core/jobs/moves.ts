import type { JobEvent } from '../events.ts';
import { changePromises } from '../ledger/promises.ts';
import type { JobRecord, State } from '../state/state.ts';

/** Folds what a nomination says of those who move: a place is kept for each. */
export function askToMove(state: State, event: Extract<JobEvent, { kind: 'JobNominated' }> & { readonly atMs: number }): void {
  const { uid: gang, model, atMs } = event;
  for (const { uid, placement, costMs } of event.moves ?? []) {
    const job = state.jobs.get(uid);
    if (job === undefined) continue;
    changePromises(state, job, () => {
      job.move = { kind: 'asked', gang, placement, model, costMs, atMs };
    });
    state.moving.add(uid);
  }
}

/** No place is kept for it any more: it stands on it, lost it, or wants none. To be called inside `changePromises`. */
export function endMove(state: State, job: JobRecord): void {
  if (job.move?.kind !== 'asked') return;
  job.move = { kind: 'done', costMs: job.move.costMs, atMs: state.atMs };
  state.moving.delete(job.uid);
}

/** It runs on where it was: nothing was moved. */
export function cancelMove(state: State, job: JobRecord): void {
  if (job.move?.kind !== 'asked') return;
  changePromises(state, job, () => {
    job.move = null;
  });
  state.moving.delete(job.uid);
}
