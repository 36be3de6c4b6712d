import type { JobUid } from '#vocabulary/ids.ts';
import type { ClusterEvent, JobEvent } from '../events.ts';
import { changePromises } from '../ledger/promises.ts';
import type { JobRecord, Move, State } from '../state/state.ts';

/** Folds what a nomination says of those who move: a place is kept for each. */
export function askToMove(state: State, event: Extract<JobEvent, { kind: 'JobNominated' }> & { readonly atMs: number }): void {
  const { uid: gang, model, atMs } = event;
  for (const move of event.moves ?? []) ask(state, { ...move, gang, model, atMs });
}

/** Folds that these were asked to move, for nobody in particular. */
export function askToTidy(state: State, { moves, atMs }: Extract<ClusterEvent, { kind: 'MovesAsked' }> & { readonly atMs: number }): void {
  for (const move of moves) ask(state, { ...move, gang: null, atMs });
  state.scheduleDirty = true;
}

function ask(state: State, { uid, ...move }: Omit<Extract<Move, { kind: 'asked' }>, 'kind'> & { readonly uid: JobUid }): void {
  const job = state.jobs.get(uid);
  if (job === undefined) return;
  const { gang, placement, model, costMs, atMs } = move;
  changePromises(state, job, () => {
    job.move = { kind: 'asked', gang, placement, model, costMs, atMs };
  });
  state.moving.add(uid);
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
