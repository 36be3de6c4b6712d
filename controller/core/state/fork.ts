import type { Amounts, Totals } from '../ledger/amounts.ts';
import { ChangeList } from './changeList.ts';
import type { AttemptRecord, AttemptStage, ClusterLedger, JobRecord, NodeState, State } from './state.ts';
import type { AttemptView, JobView, NodeView, StateView, View } from './view.ts';
import { changedNodesMax, changedWaitingMax } from './emptyState.ts';

/**
 * A second state that begins as this one is and goes its own way: what a plan or a forecast plays on. What a fold changes
 * in place is copied, what it replaces is shared. A snapshot would do the same at some eight times the cost.
 */
export function forkState(state: StateView): State {
  return {
    ...state,
    reservations: mapValues(state.reservations, (reservation) => ({ ...reservation, ledger: { ...reservation.ledger } })),
    queues: mapValues(state.queues, (queue) => ({ ...queue })),
    nodes: mapValues(state.nodes, forkNode),
    jobs: mapValues(state.jobs, forkJob),
    tokens: mapValues(state.tokens, (token) => ({ ...token })),
    jobsByName: new Map(state.jobsByName),
    pending: [...state.pending],
    moving: new Set(state.moving),
    crossing: new Set(state.crossing),
    spares: new Set(state.spares),
    sparing: new Set(state.sparing),
    resizable: new Set(state.resizable),
    saved: new Set(state.saved),
    usage: new Map(state.usage),
    past: new Map(state.past),
    ports: mapValues(state.ports, (ports) => new Set(ports)),
    awaited: new Map(state.awaited),
    arrays: new Map(state.arrays),
    displaceable: new Map(state.displaceable),
    endings: { atMs: new Map(state.endings.atMs), order: [...state.endings.order] },
    recent: [...state.recent],
    ledger: forkLedger(state.ledger),
    runTimes: new Map(state.runTimes),
    startErrors: { ...state.startErrors, ratios: new Map(state.startErrors.ratios) },
    popular: { ...state.popular, weights: new Map(state.popular.weights) },
    changedNodes: new ChangeList(changedNodesMax),
    changedWaiting: new ChangeList(changedWaitingMax),
  };
}

function forkNode(node: NodeView): NodeState {
  return { ...node, health: [...node.health], holds: [...node.holds], jobs: new Set(node.jobs) };
}

function forkJob(job: JobView): JobRecord {
  const { attempts, ledger, restarts } = job;
  return {
    ...job,
    attempts: attempts.map(forkAttempt),
    restarts: { ...restarts, applicationAtMs: [...restarts.applicationAtMs] },
    ledger: { ...ledger, amounts: { ...ledger.amounts } },
  };
}

function forkAttempt(attempt: AttemptView): AttemptRecord {
  return {
    ...attempt,
    stage: forkStage(attempt.stage),
    workers: attempt.workers.map((worker) => ({ ...worker })),
    causes: [...attempt.causes],
    parts: attempt.parts === null ? null : new Map(attempt.parts),
  };
}

function forkStage(stage: AttemptView['stage']): AttemptStage {
  return stage.kind === 'suspending' ? { ...stage, answers: new Map(stage.answers) } : stage;
}

function forkLedger(ledger: View<ClusterLedger>): ClusterLedger {
  return { ...ledger, amounts: { ...ledger.amounts }, totals: forkTotals(ledger.totals), freeMilli: { ...ledger.freeMilli } };
}

function forkTotals({ user, queue, project }: View<Totals>): Totals {
  const fork = (rows: ReadonlyMap<string, Readonly<Amounts>>): Map<string, Amounts> => mapValues(rows, (row) => ({ ...row }));
  return { user: fork(user), queue: fork(queue), project: fork(project) };
}

function mapValues<K, V, C>(map: ReadonlyMap<K, V>, copy: (value: V) => C): Map<K, C> {
  const copied = new Map<K, C>();
  for (const [key, value] of map) copied.set(key, copy(value));
  return copied;
}
