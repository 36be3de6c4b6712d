import type { ReservationRecord } from '../reservations/record.ts';
import { occupy } from '../jobs/applyAttempt.ts';
import { countArray } from '../jobs/arrays.ts';
import { countAwaited, waitsForOthers } from '../jobs/dependencies.ts';
import { countDisplaceable } from '../jobs/displaceable.ts';
import { noteSaved } from '../jobs/saved.ts';
import { noteEnding } from '../jobs/endings.ts';
import { liftSpec } from '../jobs/liftSpec.ts';
import { noteSparing } from '../jobs/sparing.ts';
import { insertPending } from '../jobs/pending.ts';
import { noteResizable } from '../jobs/resizable.ts';
import { completeQueueSpec } from '../queues/applyQueue.ts';
import { attainedBy } from '../queues/attained.ts';
import type { Amounts, LedgerCategory, TotalKind } from '../ledger/amounts.ts';
import { ledgerCategories, noAmounts, totalKinds } from '../ledger/amounts.ts';
import { liftLedger } from '../ledger/liftLedger.ts';
import { promisedPlaces, restorePromises } from '../ledger/promises.ts';
import { noPromises } from '../nodes/promises.ts';
import { countNode } from '../ledger/rates.ts';
import { holdAll, noHolds } from '../nodes/holds.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { PopularRecord } from '../schedule/popularShapes.ts';
import type {
  AttemptRecord,
  AttemptStage,
  CheckpointPart,
  JobRecord,
  NodeState,
  PastAmount,
  QueueRecord,
  RecentEvent,
  State,
} from './state.ts';
import { emptyState } from './emptyState.ts';
import { currentAttempt } from './state.ts';
import type { Sketch } from '../learn/sketch.ts';
import type { StartErrors } from '../learn/startErrors.ts';
import type { StateView } from './view.ts';

/**
 * A state as plain JSON values, and back. Records only: indices are made again, so that a snapshot cannot disagree with
 * itself. Maps become lists of pairs, bigints strings of digits.
 */
export const snapshotVersion = 3;
/**
 * Versions that `restoreSnapshot` reads. 1 had no totals, no shares, and settled the ledger node by node; 2 counted what is
 * kept for a job as idle.
 */
export const readableSnapshots: readonly unknown[] = [1, 2, snapshotVersion];

export interface StateSnapshot {
  readonly version: 1 | 2 | typeof snapshotVersion;
  readonly head: Pick<State, 'revision' | 'epoch' | 'clusterId' | 'atMs'>;
  readonly queues: readonly QueueRecord[];
  /** Came after version 0.1, with the mark of the nodes. */
  readonly reservations?: readonly ReservationSnapshot[];
  /** Snapshots of versions before fair shares have none. */
  readonly past?: readonly [string, PastAmount][];
  /** Came after version 0.1. */
  readonly popular?: Omit<PopularRecord, 'weights'> & { readonly weights: readonly [string, number][] };
  readonly nodes: readonly NodeSnapshot[];
  /** Came after version 0.3: what was learned. */
  readonly runTimes?: readonly [string, Sketch][];
  readonly startErrors?: Omit<StartErrors, 'ratios'> & { readonly ratios: readonly [string, Sketch][] };
  readonly jobs: readonly JobSnapshot[];
  readonly tokens: readonly TokenSnapshot[];
  readonly recent: readonly RecentEvent[];
  readonly ledger: LedgerSnapshot;
}

/** `spare` and `reserved` came after version 0.1. */
type NodeSnapshot = Omit<NodeState, 'jobs' | 'holds' | 'promises' | LaterNodeFields> &
  Partial<Pick<NodeState, LaterNodeFields>> & { readonly settledAtMs?: number };
type ReservationSnapshot = Omit<ReservationRecord, 'ledger'> & {
  readonly ledger: { readonly amount: string; readonly settledAtMs: number };
};

interface LedgerSnapshot {
  readonly amounts: AmountsSnapshot;
  readonly capacity: string;
  readonly spare?: string;
  readonly nowMs?: number;
  readonly settledAtMs?: number;
  readonly totals?: Readonly<Record<TotalKind, readonly [string, AmountsSnapshot][]>>;
}

type AmountsSnapshot = Readonly<Partial<Record<LedgerCategory, string>>>;
/** These came after version 0.1. */
type LaterNodeFields = 'roomAtMs' | 'spare' | 'reserved';
/** And these. */
type LaterFields = 'array' | 'held' | 'next' | 'nomination' | 'move' | 'target' | 'told' | 'attained';
type JobSnapshot = Omit<JobRecord, 'attempts' | 'ledger' | LaterFields> &
  Partial<Pick<JobRecord, LaterFields>> & {
    readonly attempts: readonly AttemptSnapshot[];
    readonly ledger: { readonly amounts: AmountsSnapshot; readonly unsaved: string; readonly settledAtMs?: number };
  };
type TokenSnapshot = State['tokens'] extends Map<string, infer T> ? T : never;

type StageSnapshot =
  | Exclude<AttemptStage, { kind: 'suspending' }>
  | (Omit<Extract<AttemptStage, { kind: 'suspending' }>, 'answers' | 'message'> & {
      readonly message?: string;
      readonly answers: readonly [number, { accepted: boolean; step: number }][];
    });
/** `roundsBefore`, `waitedMs` and `mesh` came after version 0.1. */
type AttemptSnapshot = Omit<AttemptRecord, 'parts' | 'stage' | 'roundsBefore' | 'waitedMs' | 'mesh'> & {
  readonly mesh?: AttemptRecord['mesh'];
  readonly roundsBefore?: number;
  readonly waitedMs?: number;
  readonly parts: readonly [number, CheckpointPart][];
  readonly stage: StageSnapshot;
};

/** Everything that the fold of the log up to `state.revision` gave. */
export function printSnapshot(state: StateView): string {
  const { revision, epoch, clusterId, atMs } = state;
  const body = {
    version: snapshotVersion,
    head: { revision, epoch, clusterId, atMs },
    queues: [...state.queues.values()],
    reservations: [...state.reservations.values()].map(({ ledger: { amount, settledAtMs }, ...rest }) => ({
      ...rest,
      ledger: { amount, settledAtMs },
    })),
    past: [...state.past],
    popular: { ...state.popular, weights: [...state.popular.weights] },
    runTimes: [...state.runTimes],
    startErrors: { ...state.startErrors, ratios: [...state.startErrors.ratios] },
    nodes: [...state.nodes.values()].map(({ jobs: _jobs, holds: _holds, promises: _promises, ...rest }) => rest),
    jobs: [...state.jobs.values()].map((job) => ({
      ...job,
      ledger: { amounts: job.ledger.amounts, unsaved: job.ledger.unsaved, settledAtMs: job.ledger.settledAtMs },
      attempts: job.attempts.map((attempt) => ({
        ...attempt,
        parts: [...(attempt.parts ?? [])],
        stage: attempt.stage.kind === 'suspending' ? { ...attempt.stage, answers: [...attempt.stage.answers] } : attempt.stage,
      })),
    })),
    tokens: [...state.tokens.values()],
    recent: state.recent,
    ledger: ledgerOf(state),
  };
  return JSON.stringify(body, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function ledgerOf({ ledger }: StateView) {
  const { amounts, capacity, spare, nowMs, settledAtMs, totals } = ledger;
  return {
    amounts,
    capacity,
    spare,
    nowMs,
    settledAtMs,
    totals: { user: [...totals.user], queue: [...totals.queue], project: [...totals.project] },
  };
}

/** The state of a snapshot whose origin and checksum the store has vouched for. */
export function restoreSnapshot(snapshot: StateSnapshot): State {
  const state = emptyState();
  Object.assign(state, snapshot.head);
  for (const queue of snapshot.queues) state.queues.set(queue.name, { ...queue, spec: completeQueueSpec(queue.spec) });
  for (const { ledger, ...rest } of snapshot.reservations ?? [])
    state.reservations.set(rest.name, { ...rest, ledger: { ...ledger, amount: BigInt(ledger.amount), milli: 0 } });
  for (const [key, past] of snapshot.past ?? []) state.past.set(key, past);
  if (snapshot.popular !== undefined) state.popular = { ...snapshot.popular, weights: new Map(snapshot.popular.weights) };
  for (const [key, sketch] of snapshot.runTimes ?? []) state.runTimes.set(key, sketch);
  const { ratios = [], ...startErrors } = snapshot.startErrors ?? {};
  Object.assign(state.startErrors, startErrors);
  for (const [key, sketch] of ratios) state.startErrors.ratios.set(key, sketch);
  for (const { settledAtMs: _old, ...node } of snapshot.nodes) {
    const { spare = null, reserved = null, roomAtMs = 0 } = node;
    if (spare !== null) state.spares.add(node.name);
    const indices = { jobs: new Set<JobUid>(), holds: node.health.map(() => noHolds), promises: noPromises };
    state.nodes.set(node.name, { ...node, spare, reserved, roomAtMs, ...indices });
  }
  for (const token of snapshot.tokens) state.tokens.set(token.id, token);
  state.recent.push(...snapshot.recent);
  restoreLedger(state, snapshot.ledger);
  for (const stored of snapshot.jobs) {
    const { amounts, unsaved, settledAtMs = state.atMs } = stored.ledger;
    const ledger = { amounts: restoreAmounts(amounts), unsaved: BigInt(unsaved), milli: 0, reservedMilli: 0, settledAtMs };
    const { array = null, held = null, next = null, nomination = null, move = null, target = null, told = null } = stored;
    const later = { array, held, next, nomination, move, target, told };
    const [spec, attempts] = [liftSpec(stored.spec), stored.attempts.map(restoreAttempt)];
    const attained = stored.attained ?? attainedBy({ spec }, attempts);
    const job: JobRecord = { ...stored, ...later, spec, attempts, attained, ledger };
    state.jobs.set(job.uid, job);
    state.jobsByName.set(job.name, job.uid);
    if (job.phase.kind === 'pending') insertPending(state, job);
    if (job.move?.kind === 'asked') state.moving.add(job.uid);
    noteSparing(state, job);
    if (waitsForOthers(job)) countAwaited(state, job, 1);
    countDisplaceable(state, job, 1);
    noteResizable(state, job);
    noteSaved(state, job);
    const attempt = currentAttempt(job);
    if (attempt !== undefined) countArray(state, job, 1);
    if (attempt !== undefined) restoreHold(state, job, attempt);
    noteEnding(state, job);
    restorePromises(state.nodes, job);
    // All that was kept for it so far is in the books as idle.
    if (snapshot.version !== snapshotVersion && promisedPlaces(job).length > 0) ledger.settledAtMs = state.ledger.settledAtMs;
  }
  if (snapshot.version === 1) liftLedger(state, snapshot.nodes);
  for (const node of state.nodes.values()) countNode(state, node, 1);
  return state;
}

function restoreLedger(state: State, stored: LedgerSnapshot): void {
  const { nowMs = state.atMs, settledAtMs = state.atMs, totals = null } = stored;
  const [capacity, spare] = [BigInt(stored.capacity), BigInt(stored.spare ?? '0')];
  Object.assign(state.ledger, { amounts: restoreAmounts(stored.amounts), capacity, spare, nowMs, settledAtMs });
  if (totals === null) return;
  for (const kind of totalKinds) for (const [name, amounts] of totals[kind]) state.ledger.totals[kind].set(name, restoreAmounts(amounts));
}

function restoreAmounts(stored: AmountsSnapshot): Amounts {
  const amounts = noAmounts();
  for (const category of ledgerCategories) amounts[category] = BigInt(stored[category] ?? '0');
  return amounts;
}

function restoreAttempt(stored: AttemptSnapshot): AttemptRecord {
  const stage: AttemptStage =
    stored.stage.kind === 'suspending'
      ? { ...stored.stage, message: stored.stage.message ?? '', answers: new Map(stored.stage.answers) }
      : stored.stage;
  return {
    ...stored,
    roundsBefore: stored.roundsBefore ?? 0,
    waitedMs: stored.waitedMs ?? 0,
    mesh: stored.mesh ?? null,
    parts: stored.parts.length === 0 ? null : new Map(stored.parts),
    stage,
  };
}

function restoreHold(state: State, job: JobRecord, attempt: AttemptRecord): void {
  for (const place of attempt.placement) {
    const node = state.nodes.get(place.node);
    if (node !== undefined) holdAll(node, job, place);
  }
  occupy(state, job, attempt, 1);
}
