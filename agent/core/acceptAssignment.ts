import { generation, type Epoch } from '#vocabulary/ids.ts';
import type { Assignment } from '#vocabulary/assignment.ts';
import type { NodeState, Seen } from './nodeState.ts';

export type Acceptance = { readonly ok: true; readonly state: NodeState } | { readonly ok: false; readonly reason: string };

/**
 * Takes over an assignment, unless a newer leader or a newer assignment of the same leader has been seen. The same
 * generation again is taken: after a reconnection it confirms what the agent had. A new epoch may count from 1 again.
 */
export function acceptAssignment(state: NodeState, assignment: Assignment): Acceptance {
  const { seen } = state;
  if (assignment.epoch < seen.epoch) {
    return refused(`epoch ${assignment.epoch} is over: a leader of epoch ${seen.epoch} has been seen`);
  }
  if (assignment.epoch === seen.epoch && assignment.generation < seen.generation) {
    return refused(`generation ${assignment.generation} is older than ${seen.generation}, both of epoch ${seen.epoch}`);
  }
  const taken: Seen = { epoch: assignment.epoch, generation: assignment.generation };
  return { ok: true, state: { ...state, seen: taken, assignment, confirmed: true } };
}

/** A leader said its epoch. False: it is not the newest that was seen, and nothing of it is obeyed. */
export function acceptEpoch(state: NodeState, leader: Epoch): Acceptance {
  if (leader < state.seen.epoch) return refused(`epoch ${leader} is over: a leader of epoch ${state.seen.epoch} has been seen`);
  if (leader === state.seen.epoch) return { ok: true, state };
  return { ok: true, state: { ...state, seen: { epoch: leader, generation: generation(0) } } };
}

const refused = (reason: string): Acceptance => ({ ok: false, reason });
