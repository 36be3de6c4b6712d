import type { ObservedRank, ObservedWorker, RankState, WorkerState } from '#vocabulary/observed.ts';
import { hasFailed, type NodeState, type RankRecord, type WorkerRecord } from './nodeState.ts';

/** The whole observed set, by worker key: what a report tells the controller. */
export function observe(state: NodeState): readonly ObservedWorker[] {
  return [...state.workers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, worker]) => ({ id: worker.id, state: stateOf(worker), ranks: worker.ranks.map((rank) => observeRank(rank, worker)) }));
}

function stateOf({ end, leaving, ranks }: WorkerRecord): WorkerState {
  if (end.kind === 'ended') return { kind: 'ended', reason: end.reason, message: end.message };
  if (end.kind !== 'none' || leaving.kind !== 'no' || ranks.some(({ life }) => hasFailed(life))) return { kind: 'stopping' };
  return ranks.some(({ life }) => life.kind === 'pending' || life.kind === 'launching') ? { kind: 'starting' } : { kind: 'running' };
}

function observeRank({ rank, life, progress, checkpoint, suspendAware, answer }: RankRecord, { end }: WorkerRecord): ObservedRank {
  return { rank, state: rankStateOf(life, end.kind === 'ended'), progress, checkpoint, suspendAware, suspendAnswer: answer };
}

function rankStateOf(life: RankRecord['life'], workerEnded: boolean): RankState {
  switch (life.kind) {
    case 'pending':
    case 'launching':
      return workerEnded ? { kind: 'ended', exitCode: null, signal: null } : { kind: 'starting' };
    case 'running':
      return { kind: 'running', pid: life.pid };
    case 'ended':
      return { kind: 'ended', exitCode: life.exitCode, signal: life.signal };
    case 'never-ran':
      return { kind: 'ended', exitCode: null, signal: null };
  }
}
