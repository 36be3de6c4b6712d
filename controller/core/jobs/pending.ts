import type { JobUid } from '#vocabulary/ids.ts';
import type { JobRecord, State } from '../state/state.ts';

/**
 * Waiting jobs in scheduling order: those put first (the last one asked for before the others), then higher priority,
 * then the older one, then uid. A sorted array with binary
 * search: at 4,000 waiting jobs an insertion moves some kilobytes, and the pass walks it without sorting.
 */
export function insertPending(state: State, job: JobRecord): void {
  state.pending.splice(position(state, job), 0, job.uid);
  noteWaiting(state, job);
  state.scheduleDirty = true;
}

/** Does nothing when the job does not wait. */
export function removePending(state: State, job: JobRecord): void {
  const at = position(state, job);
  if (state.pending[at] !== job.uid) return;
  state.pending.splice(at, 1);
  noteWaiting(state, job);
  // What was promised to it is free for others.
  state.scheduleDirty = true;
}

/** The job waits, or did, and something changed that sets it apart from others, or did: that it is held, or what it was promised. */
export function noteWaiting(state: State, job: JobRecord): void {
  state.changedWaiting.note(job.uid);
}

function position(state: State, job: JobRecord): number {
  let low = 0;
  let high = state.pending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(state, state.pending[middle], job)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function comesBefore(state: State, uid: JobUid | undefined, job: JobRecord): boolean {
  const other = uid === undefined ? undefined : state.jobs.get(uid);
  if (other === undefined) return true;
  const [theirs, ours] = [other.next?.atMs ?? -1, job.next?.atMs ?? -1];
  if (theirs !== ours) return theirs > ours;
  if (other.spec.priority !== job.spec.priority) return other.spec.priority > job.spec.priority;
  if (other.createdAtMs !== job.createdAtMs) return other.createdAtMs < job.createdAtMs;
  return other.uid < job.uid;
}
