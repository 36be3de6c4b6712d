/** Steps of a node's core by hand: what the loop and the runtime would do. */
import type { AssignedWorker, Assignment, Desire } from '#vocabulary/assignment.ts';
import { epoch, generation, jobName, jobUid } from '#vocabulary/ids.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import { acceptAssignment } from '../acceptAssignment.ts';
import { applyAction } from '../applyAction.ts';
import { converge, type Action } from '../converge.ts';
import type { NodeState } from '../nodeState.ts';
import { observe } from '../observe.ts';
import { onRankFate, onTreeSeen } from '../onRuntime.ts';

export const context = { bootId: 'boot', forgottenMax: 100 };
export const run: Desire = { kind: 'run' };

export function worker(
  name: string,
  {
    gpus = [0],
    processes = 1,
    desire = run,
    share = null,
  }: { gpus?: number[]; processes?: number; desire?: Desire; share?: number | null } = {},
): AssignedWorker {
  return {
    id: { job: jobUid(name), attempt: 1, worker: 0 },
    gpus,
    desire,
    launch: {
      jobName: jobName(name),
      workers: 1,
      nodeRank: 0,
      firstRank: 0,
      processes,
      worldSize: processes,
      gpusPerWorker: gpus.length,
      gpuShareMilli: share,
      coordinatorAddress: '127.0.0.1',
      coordinatorPort: 1,
      command: ['x'],
      env: {},
      workingDirectory: '',
      cpuMilli: null,
      memoryBytes: null,
      mesh: [],
      checkpoint: null,
    },
  };
}

export function assign(state: NodeState, workers: readonly AssignedWorker[], at: { epoch?: number; generation?: number } = {}): NodeState {
  const assignment: Assignment = {
    epoch: epoch(at.epoch ?? state.seen.epoch),
    generation: generation(at.generation ?? state.seen.generation + 1),
    workers,
  };
  const accepted = acceptAssignment(state, assignment);
  return accepted.ok ? accepted.state : state;
}

/** Decides until nothing is left, as the loop does; what is started runs at once. */
export function settle(
  state: NodeState,
  nowMs: number,
  { launches = true } = {},
): { readonly state: NodeState; readonly actions: readonly Action[] } {
  let next = state;
  const all: Action[] = [];
  for (let pass = 0; pass < 20; pass++) {
    const actions = converge(next, nowMs);
    if (actions.length === 0) return { state: next, actions: all };
    for (const action of actions) {
      all.push(action);
      next = applyAction(next, action, context);
      if (action.kind === 'start' && launches)
        for (const rank of action.ranks) next = onRankFate(next, action.id, rank, { kind: 'alive', pid: 7 });
    }
  }
  throw new Error(`converge does not come to an end: ${JSON.stringify(all.slice(-3))}`);
}

export const brief = (actions: readonly Action[]): readonly string[] =>
  actions.map((action) => `${action.kind} ${action.kind === 'admit' ? action.worker.id.job : action.id.job}`);

export const endAll = (state: NodeState, id: WorkerId, exitCode: number | null, signal: string | null = null): NodeState =>
  (state.workers.get(workerKey(id))?.ranks ?? []).reduce(
    (next, { rank }) => onRankFate(next, id, rank, { kind: 'ended', exitCode, signal }),
    state,
  );

export const gone = (state: NodeState, id: WorkerId): NodeState => onTreeSeen(state, id, { alive: false, nowMs: 0 });
export const stateOf = (state: NodeState, id: WorkerId) => observe(state).find((each) => workerKey(each.id) === workerKey(id))?.state;
