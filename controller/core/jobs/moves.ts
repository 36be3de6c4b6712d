import type { JobUid } from '#vocabulary/ids.ts';
import type { ClusterEvent, MovedTo } from '../events.ts';
import { changePromises } from '../ledger/promises.ts';
import { touchNodes } from '../nodes/touchNodes.ts';
import type { JobRecord, State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';

/** Folds that a job is asked to start again elsewhere, or with another number of workers; who has been asked already may be told of fewer. */
export function askToMove(
  state: State,
  { gang, model, atMs }: { readonly gang: JobUid | null; readonly model: string | null; readonly atMs: number },
  { uid, placement, costMs }: MovedTo,
): void {
  const job = state.jobs.get(uid);
  if (job === undefined) return;
  changePromises(state, job, () => {
    job.move = { kind: 'asked', gang, placement, model, costMs, atMs };
  });
  state.moving.add(uid);
  // Its program is told with how many workers it starts again.
  const attempt = currentAttempt(job);
  if (attempt?.stage.kind === 'suspending') touchNodes(state, attempt);
}

/** Folds that these were asked to move, for nobody in particular. */
export function askToTidy(state: State, { moves, atMs }: Extract<ClusterEvent, { kind: 'MovesAsked' }> & { readonly atMs: number }): void {
  for (const move of moves) askToMove(state, { gang: null, model: move.model, atMs }, move);
  state.scheduleDirty = true;
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
