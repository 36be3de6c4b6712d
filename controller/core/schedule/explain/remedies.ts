import type { JobUid } from '#vocabulary/ids.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { Remedy } from '#vocabulary/verdict.ts';
import { judgeReadiness } from '../../jobs/readiness.ts';
import { atLeast } from '../../jobs/size.ts';
import type { JobView, StateView } from '../../state/view.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { Around } from './atItsTurn.ts';
import { atItsTurn } from './atItsTurn.ts';
import { changedSpec } from './changedSpec.ts';
import type { JudgedNode } from './judgeNodes.ts';

export interface Patient {
  readonly job: JobView;
  /** Looked at before it in the last pass. */
  readonly ahead: ReadonlySet<JobUid>;
}

/**
 * Which of these changes would let the job start: each is tried as if it had been made, with the job looked at when it would be its turn
 * then. Whoever the change may help too and comes before it takes its room first.
 */
export function testRemedies(around: Around, patient: Patient, remedies: readonly Remedy[]): readonly Remedy[] {
  return remedies.filter((remedy) => comesTrue(around, patient, remedy));
}

/** The first that would. */
export function findRemedy(around: Around, patient: Patient, remedies: readonly Remedy[]): readonly Remedy[] {
  const first = remedies.find((remedy) => comesTrue(around, patient, remedy));
  return first === undefined ? [] : [first];
}

/** A shorter run is worth no suggestion. */
const usefulRunMs = 60_000;

function comesTrue(around: Around, { job, ahead }: Patient, remedy: Remedy): boolean {
  const queues = changedQueues(around.turn.state, remedy);
  const state = queues === null ? around.turn.state : { ...around.turn.state, queues };
  const changed = changedJob(around, job, remedy);
  const { nowMs } = around.turn.context;
  if (remedy.kind === 'Deadline' && remedy.atMs < nowMs + usefulRunMs) return false;
  if (judgeReadiness(state, changed, nowMs) !== null) return false;
  const startsBehind = (isSettled: (other: JobView) => boolean): boolean =>
    atItsTurn(
      { ...around, turn: { ...around.turn, state } },
      changed,
      ({ backfill, isGuess }) => !isGuess && backfill.decide(atLeast(changed)).ok,
      {
        isSettled,
      },
    );
  return withOpened(around.cluster.room.capacity, remedy.kind === 'Uncordon' ? remedy.nodes : [], () => {
    // Cheap, and says no to most of what the dear one would. A suggestion may be lost by it where one ahead would start elsewhere.
    const wouldFit = startsBehind(({ uid }) => ahead.has(uid));
    return wouldFit && (!helpsOthers(remedy) || startsBehind(() => false));
  });
}

/** The cluster is another one then, and not only the job. */
const helpsOthers = ({ kind }: Remedy): boolean =>
  kind === 'QueueLimit' || kind === 'UserLimit' || kind === 'UserMaxRunning' || kind === 'OpenQueue' || kind === 'Uncordon';

function changedJob({ turn }: Around, job: JobView, remedy: Remedy): JobView {
  if (remedy.kind === 'Release') return { ...job, held: null };
  if (remedy.kind === 'Next') return { ...job, next: { by: job.user, atMs: turn.context.nowMs } };
  const spec = changedSpec(job.spec, remedy);
  // What was kept for the old wishes is not for the new ones.
  return spec === null ? job : { ...job, spec, target: null };
}

function changedQueues(state: StateView, remedy: Remedy): StateView['queues'] | null {
  switch (remedy.kind) {
    case 'QueueLimit':
      return withQueue(state, remedy.queue, (spec) => ({ ...spec, limit: { ...spec.limit, [remedy.model]: remedy.limit } }));
    case 'UserLimit':
      return withQueue(state, remedy.queue, ({ perUser, ...spec }) => ({
        ...spec,
        perUser: { ...perUser, limit: { ...perUser.limit, [remedy.model]: remedy.limit } },
      }));
    case 'UserMaxRunning':
      return withQueue(state, remedy.queue, (spec) => ({ ...spec, perUser: { ...spec.perUser, maxRunning: remedy.limit } }));
    case 'OpenQueue':
      return withQueue(state, remedy.queue, (spec) => ({ ...spec, hold: false }));
    default:
      return null;
  }
}

function withQueue(state: StateView, name: string, change: (spec: QueueSpec) => QueueSpec): StateView['queues'] {
  const found = [...state.queues.values()].find((queue) => queue.name === name);
  return found === undefined ? state.queues : new Map(state.queues).set(found.name, { ...found, spec: change(found.spec) });
}

/** Nodes that are tried one by one before all are opened together. */
const singlesMax = 8;

/** Cordoned nodes of the right kind: the first that is enough alone, else all of them. */
export function proposeUncordoning(judged: readonly JudgedNode[]): readonly Remedy[] {
  const names = [...new Set(judged.flatMap(({ why, name }) => (why === 'cordoned' ? [name] : [])))].sort();
  if (names.length === 0) return [];
  const singles = names.length === 1 ? [] : names.slice(0, singlesMax).map((name): Remedy => ({ kind: 'Uncordon', nodes: [name] }));
  return [...singles, { kind: 'Uncordon', nodes: names }];
}

/** What it comes to when these nodes take work. */
function withOpened<T>(capacity: Capacity, names: readonly string[], look: () => T): T {
  const wanted = new Set(names);
  const before = [...capacity.topology.numberOf].flatMap(([name, node]) =>
    wanted.has(name) ? [{ node, facts: capacity.factsOf(node), holds: capacity.holdsOf(node) }] : [],
  );
  try {
    for (const { node, facts, holds } of before) capacity.setNode(node, { ...facts, open: true }, holds);
    return look();
  } finally {
    for (const { node, facts, holds } of before) capacity.setNode(node, facts, holds);
  }
}
