import { occupy } from '../jobs/applyAttempt.ts';
import { insertPending } from '../jobs/pending.ts';
import type { Amounts, LedgerCategory } from '../ledger/amounts.ts';
import { ledgerCategories, noAmounts } from '../ledger/amounts.ts';
import { completeQueueSpec } from '../queues/applyQueue.ts';
import type { AttemptRecord, AttemptStage, JobRecord, NodeState, PastAmount, QueueRecord, RecentEvent, State } from './state.ts';
import { currentAttempt, emptyState } from './state.ts';
import type { StateView } from './view.ts';

/**
 * A state as plain JSON values, and back. Records only: indices are made again, so that a snapshot cannot disagree with
 * itself. Maps become lists of pairs, bigints strings of digits.
 */
export const snapshotVersion = 1;

export interface StateSnapshot {
  readonly version: typeof snapshotVersion;
  readonly head: Pick<State, 'revision' | 'epoch' | 'clusterId' | 'atMs'>;
  readonly queues: readonly QueueRecord[];
  /** Snapshots of versions before fair shares have none. */
  readonly past?: readonly [string, PastAmount][];
  readonly nodes: readonly Omit<NodeState, 'jobs' | 'owners'>[];
  readonly jobs: readonly JobSnapshot[];
  readonly tokens: readonly TokenSnapshot[];
  readonly recent: readonly RecentEvent[];
  readonly ledger: { readonly amounts: AmountsSnapshot; readonly capacity: string };
}

type AmountsSnapshot = Readonly<Partial<Record<LedgerCategory, string>>>;
type JobSnapshot = Omit<JobRecord, 'attempts' | 'ledger'> & {
  readonly attempts: readonly AttemptSnapshot[];
  readonly ledger: { readonly amounts: AmountsSnapshot; readonly unsaved: string };
};
type TokenSnapshot = State['tokens'] extends Map<string, infer T> ? T : never;

type StageSnapshot =
  | Exclude<AttemptStage, { kind: 'suspending' }>
  | (Omit<Extract<AttemptStage, { kind: 'suspending' }>, 'answers'> & {
      readonly answers: readonly [number, { accepted: boolean; step: number }][];
    });
type AttemptSnapshot = Omit<AttemptRecord, 'parts' | 'stage'> & {
  readonly parts: readonly [number, { step: number; path: string }][];
  readonly stage: StageSnapshot;
};

/** Everything that the fold of the log up to `state.revision` gave. */
export function printSnapshot(state: StateView): string {
  const { revision, epoch, clusterId, atMs, ledger } = state;
  const body = {
    version: snapshotVersion,
    head: { revision, epoch, clusterId, atMs },
    queues: [...state.queues.values()],
    past: [...state.past],
    nodes: [...state.nodes.values()].map(({ jobs: _jobs, owners: _owners, ...rest }) => rest),
    jobs: [...state.jobs.values()].map((job) => ({
      ...job,
      attempts: job.attempts.map((attempt) => ({
        ...attempt,
        parts: [...attempt.parts],
        stage: attempt.stage.kind === 'suspending' ? { ...attempt.stage, answers: [...attempt.stage.answers] } : attempt.stage,
      })),
    })),
    tokens: [...state.tokens.values()],
    recent: state.recent,
    ledger,
  };
  return JSON.stringify(body, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** The state of a snapshot whose origin and checksum the store has vouched for. */
export function restoreSnapshot(snapshot: StateSnapshot): State {
  const state = emptyState();
  Object.assign(state, snapshot.head);
  for (const queue of snapshot.queues) state.queues.set(queue.name, { ...queue, spec: completeQueueSpec(queue.spec) });
  for (const [key, past] of snapshot.past ?? []) state.past.set(key, past);
  for (const node of snapshot.nodes) state.nodes.set(node.name, { ...node, jobs: new Set(), owners: node.health.map(() => null) });
  for (const token of snapshot.tokens) state.tokens.set(token.id, token);
  state.recent.push(...snapshot.recent);
  Object.assign(state.ledger, { amounts: restoreAmounts(snapshot.ledger.amounts), capacity: BigInt(snapshot.ledger.capacity) });
  for (const stored of snapshot.jobs) {
    const ledger = { amounts: restoreAmounts(stored.ledger.amounts), unsaved: BigInt(stored.ledger.unsaved) };
    const job: JobRecord = { ...stored, attempts: stored.attempts.map(restoreAttempt), ledger };
    state.jobs.set(job.uid, job);
    state.jobsByName.set(job.name, job.uid);
    if (job.phase.kind === 'pending') insertPending(state, job);
    const attempt = currentAttempt(job);
    if (attempt !== undefined) restoreHold(state, job, attempt);
  }
  return state;
}

function restoreAmounts(stored: AmountsSnapshot): Amounts {
  const amounts = noAmounts();
  for (const category of ledgerCategories) amounts[category] = BigInt(stored[category] ?? '0');
  return amounts;
}

function restoreAttempt(stored: AttemptSnapshot): AttemptRecord {
  const stage: AttemptStage =
    stored.stage.kind === 'suspending' ? { ...stored.stage, answers: new Map(stored.stage.answers) } : stored.stage;
  return { ...stored, parts: new Map(stored.parts), stage };
}

function restoreHold(state: State, job: JobRecord, attempt: AttemptRecord): void {
  for (const { node: name, gpus } of attempt.placement) {
    const node = state.nodes.get(name);
    if (node === undefined) continue;
    node.jobs.add(job.uid);
    for (const gpu of gpus) node.owners[gpu] = job.uid;
  }
  occupy(state, job, attempt, 1);
}
