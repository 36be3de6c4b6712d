/**
 * Decides what to do so that what runs becomes what is wanted. Pure: the loop applies each action to the state
 * (`applyAction`), makes the new state durable, does it, and asks again until nothing is left to do.
 *
 * Ends come before starts, and a worker's GPUs are free only when its whole tree is confirmed gone. What was admitted
 * once is never started a second time: its record stays until the assignment names it no more, its name after that.
 */
import { assertNever } from '#vocabulary/assert.ts';
import type { AssignedWorker, Desire } from '#vocabulary/assignment.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { WorkerEnd } from '#vocabulary/observed.ts';
import { hasFailed, type LeavingCause, type NodeState, type RankRecord, type SuspendRecord, type WorkerRecord } from './nodeState.ts';
import { HeldGpus } from './heldGpus.ts';
import { answerRound, isSuspendAware } from './suspend.ts';

export type Action =
  | { readonly kind: 'terminate'; readonly id: WorkerId; readonly cause: LeavingCause; readonly graceMs: number; readonly killAtMs: number }
  | { readonly kind: 'kill'; readonly id: WorkerId; readonly cause: LeavingCause }
  /** A round of a suspension begins, or ranks of it can answer now. */
  | { readonly kind: 'suspend'; readonly id: WorkerId; readonly suspend: SuspendRecord; readonly ranks: readonly RankRecord[] }
  /** The suspension was taken back before anybody was told to stop. */
  | { readonly kind: 'unsuspend'; readonly id: WorkerId }
  /** All ranks ended: ask whether the tree is gone, after a SIGKILL when it was there the last time. */
  | { readonly kind: 'confirm'; readonly id: WorkerId; readonly tries: number }
  | { readonly kind: 'forget'; readonly id: WorkerId }
  /** Take it over; with an end it is one that must not start, and is reported so. */
  | {
      readonly kind: 'admit';
      readonly worker: AssignedWorker;
      readonly end: { readonly reason: WorkerEnd; readonly message: string } | null;
    }
  | { readonly kind: 'start'; readonly id: WorkerId; readonly ranks: readonly number[] };

/** From SIGTERM to SIGKILL for a suspend-aware program that let its whole grace pass. */
const overdueGraceMs = 5000;

/** At most one action a worker, ends before starts, each in key order. Empty: nothing to do before `nextWakeMs`. */
export function converge(state: NodeState, nowMs: number): readonly Action[] {
  const desires = new Map((state.assignment?.workers ?? []).map((each): [string, AssignedWorker] => [workerKey(each.id), each]));
  const records = [...state.workers].sort(([a], [b]) => (a < b ? -1 : 1));
  const ends: Action[] = [];
  const starts: Action[] = [];
  for (const [key, record] of records) {
    const wanted = state.assignment === null ? 'unknown' : (desires.get(key)?.desire ?? 'absent');
    const action = decideWorker(record, wanted, nowMs);
    if (action !== null) ends.push(action);
    else if (state.confirmed && wanted !== 'unknown' && wanted !== 'absent' && wanted.kind === 'run') starts.push(...decideStart(record));
  }
  return [...ends, ...(state.confirmed ? decideAdmissions(state, desires) : []), ...starts];
}

/** absent: an assignment is known and does not name it. unknown: no assignment was ever seen. */
type Wanted = Desire | 'absent' | 'unknown';

function decideWorker(record: WorkerRecord, wanted: Wanted, nowMs: number): Action | null {
  const { id, end } = record;
  switch (end.kind) {
    case 'ended':
      return wanted === 'absent' ? { kind: 'forget', id } : null;
    case 'confirming':
      return null;
    case 'lingering':
      return nowMs >= end.againAtMs ? { kind: 'confirm', id, tries: end.tries } : null;
    case 'none':
      if (isOver(record)) return { kind: 'confirm', id, tries: 0 };
      return decideLiving(record, wanted, nowMs);
    default:
      return assertNever(end);
  }
}

/** No rank is alive, and none will be. */
function isOver({ ranks, leaving }: WorkerRecord): boolean {
  return ranks.every(
    ({ life }) => life.kind === 'ended' || life.kind === 'never-ran' || (life.kind === 'pending' && leaving.kind !== 'no'),
  );
}

function decideLiving(record: WorkerRecord, wanted: Wanted, nowMs: number): Action | null {
  const { id, leaving } = record;
  if (leaving.kind === 'killing') return null;
  if (leaving.kind === 'terminating' && nowMs >= leaving.killAtMs) return { kind: 'kill', id, cause: leaving.cause };
  if (wanted === 'absent') return { kind: 'kill', id, cause: 'asked' };
  if (leaving.kind === 'no' && record.ranks.some(({ life }) => hasFailed(life))) return { kind: 'kill', id, cause: 'failure' };
  if (wanted === 'unknown') return null;
  switch (wanted.kind) {
    case 'run':
      return record.suspend === null || leaving.kind !== 'no' ? null : { kind: 'unsuspend', id };
    case 'stop':
      return decideStop(record, wanted.graceMs, nowMs);
    case 'suspend':
      return leaving.kind === 'no' ? decideSuspend(record, wanted, nowMs) : null;
    default:
      return assertNever(wanted);
  }
}

/** A shorter grace than the one that runs already shortens it; a longer one changes nothing. */
function decideStop({ id, leaving }: WorkerRecord, graceMs: number, nowMs: number): Action | null {
  if (leaving.kind === 'terminating' && graceMs >= leaving.graceMs) return null;
  if (graceMs === 0) return { kind: 'kill', id, cause: 'asked' };
  const killAtMs = nowMs + graceMs;
  if (leaving.kind !== 'terminating') return { kind: 'terminate', id, cause: 'asked', graceMs, killAtMs };
  return { kind: 'terminate', id, cause: leaving.cause, graceMs, killAtMs: Math.min(killAtMs, leaving.killAtMs) };
}

function decideSuspend(record: WorkerRecord, wanted: Extract<Desire, { kind: 'suspend' }>, nowMs: number): Action | null {
  const { id } = record;
  const suspend: SuspendRecord = {
    round: wanted.round,
    stage: wanted.stage,
    graceMs: wanted.graceMs,
    ...(wanted.why === undefined ? {} : { why: wanted.why }),
    deadlineMs: record.suspend?.deadlineMs ?? nowMs + wanted.graceMs,
  };
  const ranks = record.ranks.map((rank) => answerRound(rank, suspend));
  if (!isSameRound(record.suspend, suspend) || ranks.some((rank, at) => rank !== record.ranks[at])) {
    return { kind: 'suspend', id, suspend, ranks };
  }
  if (!isSuspendAware(record)) return decideStop(record, wanted.graceMs, nowMs);
  return nowMs >= suspend.deadlineMs ? decideStop(record, overdueGraceMs, nowMs) : null;
}

function isSameRound(a: SuspendRecord | null, b: SuspendRecord): boolean {
  if (a === null || a.round !== b.round || a.stage.kind !== b.stage.kind) return false;
  return stopStepOf(a) === stopStepOf(b) && a.why?.reason === b.why?.reason && a.why?.workers === b.why?.workers;
}

const stopStepOf = ({ stage }: SuspendRecord): number | null => (stage.kind === 'ask' ? null : stage.stopStep);

function decideStart({ id, end, leaving, ranks }: WorkerRecord): readonly Action[] {
  if (end.kind !== 'none' || leaving.kind !== 'no') return [];
  const pending = ranks.filter(({ life }) => life.kind === 'pending').map(({ rank }) => rank);
  return pending.length === 0 ? [] : [{ kind: 'start', id, ranks: pending }];
}

function decideAdmissions(state: NodeState, desires: ReadonlyMap<string, AssignedWorker>): readonly Action[] {
  const held = new HeldGpus();
  for (const worker of state.workers.values()) if (worker.end.kind !== 'ended') held.take(worker);
  const admissions: Action[] = [];
  for (const [key, worker] of [...desires].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (state.workers.has(key)) continue;
    const end = refusalOf(state, key, worker);
    if (end === null && !held.hasRoomFor(worker)) continue;
    admissions.push({ kind: 'admit', worker, end });
    if (end === null) held.take(worker);
  }
  return admissions;
}

function refusalOf(
  state: NodeState,
  key: string,
  { desire }: AssignedWorker,
): { readonly reason: WorkerEnd; readonly message: string } | null {
  if (state.forgotten.has(key)) return { reason: 'vanished', message: 'it ran on this node and ended; its exit status was forgotten' };
  return desire.kind === 'run' ? null : { reason: 'killed', message: 'asked to leave before it was started' };
}

/** When `converge` must be asked again though nothing happens; null: never. */
export function nextWakeMs(state: NodeState): number | null {
  let soonestMs: number | null = null;
  for (const { leaving, suspend, end } of state.workers.values()) {
    const atMs = wakeOf({ leaving, suspend, end });
    if (atMs !== null && (soonestMs === null || atMs < soonestMs)) soonestMs = atMs;
  }
  return soonestMs;
}

function wakeOf({ leaving, suspend, end }: Pick<WorkerRecord, 'leaving' | 'suspend' | 'end'>): number | null {
  if (end.kind === 'lingering') return end.againAtMs;
  if (end.kind !== 'none') return null;
  if (leaving.kind === 'terminating') return leaving.killAtMs;
  return leaving.kind === 'no' && suspend !== null ? suspend.deadlineMs : null;
}
