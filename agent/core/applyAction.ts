/** The state after an action was decided, before it is done: what the journal must hold first. */
import { assertNever } from '#vocabulary/assert.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { Action } from './converge.ts';
import { newWorkerRecord, type NodeState, type RankRecord, type WorkerRecord } from './nodeState.ts';

export interface ApplyContext {
  readonly bootId: string;
  /** How many forgotten workers are remembered by name. */
  readonly forgottenMax: number;
}

export function applyAction(state: NodeState, action: Action, context: ApplyContext): NodeState {
  switch (action.kind) {
    case 'terminate': {
      const { cause, graceMs, killAtMs } = action;
      return withWorker(state, action.id, (worker) => ({ ...worker, leaving: { kind: 'terminating', cause, graceMs, killAtMs } }));
    }
    case 'kill':
      return withWorker(state, action.id, (worker) => ({ ...worker, leaving: { kind: 'killing', cause: action.cause } }));
    case 'suspend':
      return withWorker(state, action.id, (worker) => ({ ...worker, suspend: action.suspend, ranks: action.ranks }));
    case 'unsuspend':
      return withWorker(state, action.id, (worker) => ({
        ...worker,
        suspend: null,
        ranks: worker.ranks.map((rank) => ({ ...rank, answer: null })),
      }));
    case 'confirm':
      return withWorker(state, action.id, (worker) => ({ ...worker, end: { kind: 'confirming', tries: action.tries } }));
    case 'forget':
      return forget(state, workerKey(action.id), context.forgottenMax);
    case 'admit': {
      const record = newWorkerRecord(
        action.worker,
        context.bootId,
        action.end === null ? { kind: 'none' } : { kind: 'ended', ...action.end },
      );
      return { ...state, workers: new Map(state.workers).set(workerKey(record.id), record) };
    }
    case 'start':
      return withWorker(state, action.id, (worker) => ({
        ...worker,
        ranks: worker.ranks.map((rank): RankRecord => (action.ranks.includes(rank.rank) ? { ...rank, life: { kind: 'launching' } } : rank)),
      }));
    default:
      return assertNever(action);
  }
}

function forget(state: NodeState, key: string, forgottenMax: number): NodeState {
  const workers = new Map(state.workers);
  workers.delete(key);
  const forgotten = [...state.forgotten, key];
  return { ...state, workers, forgotten: new Set(forgotten.slice(-forgottenMax)) };
}

/** The state with one worker replaced; unchanged when the worker is not known (any more). */
export function withWorker(state: NodeState, id: WorkerId, change: (worker: WorkerRecord) => WorkerRecord): NodeState {
  const key = workerKey(id);
  const worker = state.workers.get(key);
  if (worker === undefined) return state;
  const changed = change(worker);
  return changed === worker ? state : { ...state, workers: new Map(state.workers).set(key, changed) };
}

/** The state with one rank replaced; unchanged when it is not known. */
export function withRank(state: NodeState, id: WorkerId, rank: number, change: (rank: RankRecord) => RankRecord): NodeState {
  return withWorker(state, id, (worker) => {
    const at = worker.ranks.findIndex((each) => each.rank === rank);
    const found = worker.ranks[at];
    if (found === undefined) return worker;
    const changed = change(found);
    return changed === found ? worker : { ...worker, ranks: worker.ranks.with(at, changed) };
  });
}
