import { assert, assertNever } from '#vocabulary/assert.ts';
import type { AttemptEvent, ExitCodes } from '../events.ts';
import { settlePast } from '../queues/pastUsage.ts';
import { changeNode } from '../ledger/rates.ts';
import { moveSaving, moveUnsaved, settleJob } from '../ledger/settle.ts';
import { holdAll, releaseAll } from '../nodes/holds.ts';
import { touchNodes } from '../nodes/touchNodes.ts';
import { heldMilli, waitsSinceMs, wholeSecond } from '../queues/attained.ts';
import { countUsage } from '../queues/usage.ts';
import type { AttemptRecord, AttemptStage, JobRecord, State, WorkerRecord } from '../state/state.ts';
import { markChanged, markPlaces } from '../state/state.ts';
import { lookAtPopular } from '../schedule/popularShapes.ts';
import { movePhase } from './applyJob.ts';
import { countAwaited, waitsForOthers } from './dependencies.ts';
import { noteRunTime } from '../learn/runTimes.ts';
import { noteStart } from '../learn/startErrors.ts';
import { noteCrossing } from './crossing.ts';
import { heldMs, noteEnding } from './endings.ts';
import { cancelMove } from './moves.ts';
import { noteSaved } from './saved.ts';

type Stamped<E> = E & { readonly atMs: number };
type Of<K extends AttemptEvent['kind']> = Stamped<Extract<AttemptEvent, { kind: K }>>;

/** Folds what happens to one execution of a job. */
export function applyAttemptEvent(state: State, event: Stamped<AttemptEvent>): void {
  const job = state.jobs.get(event.uid);
  assert(job !== undefined, `event ${event.kind} names job ${event.uid}, which is not there`);
  job.changedAt = state.revision;
  if (event.kind === 'AttemptPlaced') place(state, job, event);
  else change(state, job, event);
  if (movesEnding.has(event.kind)) noteEnding(state, job);
}

const movesEnding: ReadonlySet<string> = new Set(['AttemptPlaced', 'SuspendStaged', 'SuspendCancelled', 'AttemptStopping', 'AttemptEnded']);

function change(state: State, job: JobRecord, event: Exclude<Stamped<AttemptEvent>, { kind: 'AttemptPlaced' }>): void {
  const attempt = job.attempts.at(-1);
  assert(
    attempt !== undefined && attempt.number === event.attempt,
    `event ${event.kind} names attempt ${event.attempt} of ${job.name}, which is not the current one`,
  );
  switch (event.kind) {
    case 'AttemptStarted':
      settleJob(state, job);
      attempt.stage = { kind: 'running' };
      attempt.startedAtMs = event.atMs;
      if (state.awaited.has(job.name)) state.scheduleDirty = true;
      return;
    case 'WorkerChanged':
      Object.assign(workerOf(attempt, event.worker), { state: event.state, message: event.message, exitCodes: event.exitCodes });
      // A worker on a lost node is no longer desired there.
      if (event.state === 'lost') touchNodes(state, attempt);
      return;
    case 'SuspendStaged':
    case 'SuspendAnswered':
      suspend(state, job, attempt, event);
      return;
    case 'SuspendCancelled':
      if (attempt.stage.kind === 'suspending') attempt.roundsBefore = attempt.stage.round;
      settleJob(state, job);
      attempt.stage = { kind: attempt.startedAtMs === null ? 'starting' : 'running' };
      cancelMove(state, job);
      touchNodes(state, attempt);
      // It may have to be asked again, for another reason (reservations/).
      markPlaces(state, attempt.placement);
      return;
    case 'AttemptStopping':
      settleJob(state, job);
      attempt.stage = { kind: 'stopping', graceMs: event.graceMs, cause: event.cause, sinceMs: event.atMs };
      attempt.causes.push(event.cause);
      touchNodes(state, attempt);
      return;
    case 'StopCauseAdded':
      attempt.causes.push(event.cause);
      return;
    case 'AttemptEnded':
      end(state, job, attempt, event);
      return;
    case 'ProgressRecorded':
      recordProgress(state, job, attempt, event);
      return;
    case 'CheckpointPartRecorded':
      recordParts(attempt, event);
      return;
    case 'CheckpointCompleted':
      settleJob(state, job);
      moveSaving(state, job, Math.max(0, (event.tookMs ?? 0) - leavingMs(state, attempt)));
      job.ledger.unsaved = 0n;
      wakeForSave(state, job, event.atMs);
      job.checkpoint = { step: event.step, path: event.path, atMs: event.atMs, attempt: event.attempt };
      attempt.lastCheckpointStep = event.step;
      noteSaved(state, job);
      for (const [rank, part] of attempt.parts ?? []) if (part.step <= event.step) attempt.parts?.delete(rank);
      return;
    default:
      assertNever(event);
  }
}

/** What attempts and workers begin with: one for all. */
const starting: AttemptStage = { kind: 'starting' };
const noExitCodes: ExitCodes = {};

function place(state: State, job: JobRecord, event: Of<'AttemptPlaced'>): void {
  const attempt: AttemptRecord = {
    number: event.attempt,
    placedAtMs: event.atMs,
    waitedMs: event.atMs - waitsSinceMs(job, event.atMs),
    startedAtMs: null,
    endedAtMs: null,
    placement: event.placement,
    model: event.model,
    coordinator: event.coordinator,
    resume: event.resume,
    mesh: event.mesh ?? null,
    stage: starting,
    roundsBefore: 0,
    workers: event.placement.map(() => ({ state: 'assigned', message: '', exitCodes: noExitCodes, progressAtMs: null })),
    causes: [],
    parts: null,
    lastStep: event.resume?.step ?? 0,
    lastCheckpointStep: event.resume?.step ?? 0,
    end: null,
  };
  settleJob(state, job);
  lookAtPopular(state.popular);
  for (const place of event.placement) {
    const node = state.nodes.get(place.node);
    assert(node !== undefined, `attempt ${event.attempt} of ${job.name} is placed on node ${place.node}, which is not there`);
    changeNode(state, node, () => holdAll(node, job, place));
    markChanged(state, node);
  }
  if (waitsForOthers(job)) countAwaited(state, job, -1);
  if (job.told !== null) noteStart(state.startErrors, job.told, event.atMs);
  job.told = null;
  movePhase(state, job, { kind: 'active' });
  job.next = null;
  // Nearly all jobs have one or two: `push` would make room for seventeen.
  job.attempts = job.attempts.concat(attempt);
  touchNodes(state, attempt);
  settlePast(state, { queue: job.spec.queue, user: job.user, model: attempt.model }, event.atMs);
  occupy(state, job, attempt, 1);
}

function suspend(state: State, job: JobRecord, attempt: AttemptRecord, event: Of<'SuspendStaged'> | Of<'SuspendAnswered'>): void {
  if (event.kind === 'SuspendStaged') {
    settleJob(state, job);
    const sinceMs = attempt.stage.kind === 'suspending' ? attempt.stage.sinceMs : event.atMs;
    const { round, stage, graceMs, reason, message = '' } = event;
    attempt.stage = { kind: 'suspending', round, stage, graceMs, sinceMs, reason, message, answers: new Map() };
    touchNodes(state, attempt);
    return;
  }
  if (attempt.stage.kind !== 'suspending' || attempt.stage.round !== event.round) return;
  attempt.stage.answers.set(event.worker, { accepted: event.accepted, step: event.step });
}

function recordProgress(state: State, job: JobRecord, attempt: AttemptRecord, event: Of<'ProgressRecorded'>): void {
  const { progress, atMs } = event;
  workerOf(attempt, event.worker).progressAtMs = atMs;
  attempt.lastStep = Math.max(attempt.lastStep, progress.step);
  const old = job.progress !== null && job.progress.attempt === event.attempt ? job.progress : null;
  if (old === null) {
    settleJob(state, job);
    moveUnsaved(state, job, 'starting');
  }
  const steps = { ...old?.steps, ...progress.steps };
  // Ranks are in step but for moments: the foremost one speaks for the job.
  const newest = old === null || progress.step >= old.step ? progress : old;
  job.progress = {
    step: newest.step,
    loss: newest.loss ?? old?.loss ?? null,
    tokens: newest.tokens ?? old?.tokens ?? null,
    stepSeconds: newest.stepSeconds ?? old?.stepSeconds ?? null,
    steps,
    atMs,
    attempt: event.attempt,
  };
}

function recordParts(attempt: AttemptRecord, { ranks, step, path, tookMs }: Of<'CheckpointPartRecorded'>): void {
  attempt.parts ??= new Map();
  for (const rank of ranks) attempt.parts.set(rank, { step, path, ...(tookMs === undefined ? {} : { tookMs }) });
}

/** Since when it is asked to leave or is stopped: time that is in the books as such, whatever the gang did in it. */
function leavingMs(state: State, { stage }: AttemptRecord): number {
  return stage.kind === 'suspending' || stage.kind === 'stopping' ? state.ledger.nowMs - stage.sinceMs : 0;
}

function workerOf(attempt: AttemptRecord, worker: number): WorkerRecord {
  const record = attempt.workers[worker];
  assert(record !== undefined, `attempt ${attempt.number} has no worker ${worker}`);
  return record;
}

function end(state: State, job: JobRecord, attempt: AttemptRecord, event: Of<'AttemptEnded'>): void {
  settleJob(state, job);
  const reason = event.reasons[0];
  assert(reason !== undefined, `attempt ${event.attempt} of ${job.name} ended without a reason`);
  if (reason === 'Succeeded') job.ledger.unsaved = 0n;
  else moveUnsaved(state, job, 'recomputed');
  release(state, job, attempt);
  settlePast(state, { queue: job.spec.queue, user: job.user, model: attempt.model }, event.atMs);
  occupy(state, job, attempt, -1);
  job.attained += heldMilli(job, attempt) * Math.max(0, event.atMs - attempt.placedAtMs);
  attempt.stage = { kind: 'ended' };
  attempt.endedAtMs = event.atMs;
  attempt.end = { reasons: event.reasons, message: event.message, charged: event.charged };
  if (event.charged) job.restarts.applicationAtMs.push(event.atMs);
  else if (reason === 'NodeFailure' || reason === 'GpuFailure') job.restarts.infrastructure += 1;
  else if (reason === 'Drained' || reason === 'Preempted') job.restarts.preemption += 1;
  const { next } = event;
  if (next.kind === 'finished' || job.wanted === 'delete') noteRunTime(state.runTimes, job, heldMs(job, event.atMs));
  movePhase(
    state,
    job,
    next.kind === 'finished'
      ? { kind: 'finished', outcome: next.outcome, atMs: event.atMs, reason, message: event.message }
      : { kind: next.kind, sinceMs: event.atMs },
  );
  state.scheduleDirty = true;
}

/** Very many jobs save at as many times, and one pass a second is enough for them. */
function wakeForSave(state: State, job: JobRecord, nowMs: number): void {
  const dueAtMs = state.awaitsSave.dueAtMs(job, nowMs);
  if (dueAtMs === null) return;
  const soonMs = wholeSecond(Math.max(dueAtMs, nowMs + 1));
  state.wakeAtMs = Math.min(soonMs, state.wakeAtMs ?? soonMs);
}

function release(state: State, job: JobRecord, attempt: AttemptRecord): void {
  touchNodes(state, attempt);
  for (const place of attempt.placement) {
    const node = state.nodes.get(place.node);
    if (node === undefined) continue;
    changeNode(state, node, () => releaseAll(node, job, place));
    node.roomAtMs = state.atMs;
    markChanged(state, node);
  }
}

/** Counts, or takes back, what the attempt holds: queue usage, the coordinator's port, and links of the outermost level. */
export function occupy(state: State, job: JobRecord, attempt: AttemptRecord, sign: 1 | -1): void {
  countUsage(state, { queue: job.spec.queue, user: job.user, model: attempt.model, gpuMilli: heldMilli(job, attempt) }, sign);
  noteCrossing(state, job, attempt, sign);
  const { address, port } = attempt.coordinator;
  const ports = state.ports.get(address);
  if (sign === 1) {
    if (ports === undefined) state.ports.set(address, new Set([port]));
    else ports.add(port);
    return;
  }
  ports?.delete(port);
  if (ports?.size === 0) state.ports.delete(address);
}
