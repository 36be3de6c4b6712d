import { assertNever } from '#vocabulary/assert.ts';
import type { Revision } from '#vocabulary/ids.ts';
import type { JobEvent } from '../events.ts';
import { noAmounts } from '../ledger/amounts.ts';
import { changePromises } from '../ledger/promises.ts';
import { changeOwners } from '../ledger/settle.ts';
import { notePopular, requestedShape } from '../schedule/popularShapes.ts';
import type { JobRecord, State } from '../state/state.ts';
import { currentAttempt, markPlaces } from '../state/state.ts';
import { countArray } from './arrays.ts';
import { countAwaited, waitsForOthers } from './dependencies.ts';
import { countDisplaceable } from './displaceable.ts';
import { noteEnding } from './endings.ts';
import { liftSpec } from './liftSpec.ts';
import { askToMove, endMove } from './moves.ts';
import { noteSparing } from './sparing.ts';
import { insertPending, noteWaiting, removePending } from './pending.ts';
import { noteResizable } from './resizable.ts';
import { noteSaved } from './saved.ts';

/** Folds what happens to a job as a whole. */
export function applyJobEvent(state: State, event: JobEvent & { readonly atMs: number }): void {
  if (event.kind === 'JobCreated') {
    createJob(state, event);
    return;
  }
  const job = state.jobs.get(event.uid);
  if (job === undefined) return;
  job.changedAt = state.revision;
  switch (event.kind) {
    case 'JobChanged':
      changeJob(state, job, event);
      return;
    case 'JobPrioritized':
      reorder(state, job, () => {
        job.spec = { ...job.spec, priority: event.priority };
      });
      return;
    case 'JobNext':
      reorder(state, job, () => {
        job.next = { by: event.by, atMs: event.atMs };
      });
      return;
    case 'JobHeld':
      job.held = { by: event.by, atMs: event.atMs };
      // What was told was not about this.
      job.told = null;
      noteWaiting(state, job);
      // Nothing can start by it, but the job has another reason to wait.
      state.scheduleDirty = true;
      return;
    case 'JobReleased':
      job.held = null;
      noteWaiting(state, job);
      state.scheduleDirty = true;
      return;
    case 'JobExpired': {
      if (waitsForOthers(job)) countAwaited(state, job, -1);
      const { atMs, reason, message } = event;
      movePhase(state, job, { kind: 'finished', outcome: 'Failed', atMs, reason, message });
      return;
    }
    case 'JobWanted':
      job.wanted = event.wanted;
      return;
    case 'JobParked':
      movePhase(state, job, { kind: event.phase, sinceMs: event.atMs });
      return;
    case 'GrowthChosen':
      askToMove(state, { gang: null, atMs: event.atMs, model: event.model }, event);
      return;
    case 'JobNominated':
    case 'NominationDropped':
    case 'TargetChosen':
    case 'TargetDropped':
      changePromises(state, job, () => {
        promise(state, job, event);
      });
      noteWaiting(state, job);
      if (event.kind === 'JobNominated') for (const move of event.moves ?? []) askToMove(state, { ...event, gang: event.uid }, move);
      if (event.kind === 'NominationDropped' || event.kind === 'TargetDropped') state.scheduleDirty = true;
      return;
    case 'JobRemoved':
      removeJob(state, job);
      return;
    default:
      assertNever(event);
  }
}

function changeJob(state: State, job: JobRecord, event: Extract<JobEvent, { kind: 'JobChanged' }>): void {
  if (waitsForOthers(job)) countAwaited(state, job, -1);
  reorder(state, job, () => {
    changeOwners(state, job, () => Object.assign(job, changesOf(event)));
  });
  // What it wants may be another gang now.
  changePromises(state, job, () => {
    job.target = null;
  });
  job.told = null;
  noteResizable(state, job);
  noteEnding(state, job);
  // Whether it is gone when a reservation begins may be another matter now.
  const attempt = currentAttempt(job);
  if (attempt !== undefined) {
    markPlaces(state, attempt.placement);
    state.scheduleDirty = true;
  }
  // It may want spares now, or other ones.
  if (job.spec.spares > 0 || state.sparing.has(job.uid)) state.scheduleDirty = true;
  noteSparing(state, job);
  if (waitsForOthers(job)) countAwaited(state, job, 1);
}

function removeJob(state: State, job: JobRecord): void {
  removePending(state, job);
  dropPromises(state, job);
  if (waitsForOthers(job)) countAwaited(state, job, -1);
  if (state.awaited.has(job.name)) state.scheduleDirty = true;
  state.jobs.delete(job.uid);
  state.resizable.delete(job.uid);
  state.sparing.delete(job.uid);
  if (state.jobsByName.get(job.name) === job.uid) state.jobsByName.delete(job.name);
}

type Changes = Pick<JobRecord, 'spec' | 'labels' | 'annotations'> & Partial<Pick<JobRecord, 'array'>>;

function changesOf({ spec, labels, annotations, array }: Extract<JobEvent, { kind: 'JobChanged' }>): Changes {
  return { spec: liftSpec(spec), labels, annotations, ...(array === undefined ? {} : { array }) };
}

/** Changes something that a waiting job's place in the order depends on, or a running one's in that of leaving. */
function reorder(state: State, job: JobRecord, change: () => void): void {
  removePending(state, job);
  countDisplaceable(state, job, -1);
  change();
  countDisplaceable(state, job, 1);
  if (job.phase.kind === 'pending') insertPending(state, job);
}

function createJob(state: State, event: Extract<JobEvent, { kind: 'JobCreated' }> & { readonly atMs: number }): void {
  const job = newJob(event, state.revision);
  state.jobs.set(job.uid, job);
  state.jobsByName.set(job.name, job.uid);
  countAwaited(state, job, 1);
  noteSparing(state, job);
  insertPending(state, job);
  const shape = requestedShape(job.spec);
  if (shape !== null) notePopular(state.popular, shape);
}

/** A job that begins to wait. */
function newJob(
  event: Omit<Extract<JobEvent, { kind: 'JobCreated' }>, 'kind'> & { readonly atMs: number },
  changedAt: Revision,
): JobRecord {
  const { uid, name, user, labels, annotations, spec, atMs } = event;
  return {
    uid,
    name,
    user,
    labels,
    annotations,
    spec: liftSpec(spec),
    createdAtMs: atMs,
    changedAt,
    wanted: 'run',
    array: event.array ?? null,
    held: null,
    next: null,
    phase: { kind: 'pending', sinceMs: atMs },
    nomination: null,
    move: null,
    target: null,
    told: null,
    attempts: [],
    progress: null,
    checkpoint: null,
    restarts: { applicationAtMs: [], infrastructure: 0, preemption: 0 },
    attained: 0,
    ledger: { amounts: noAmounts(), unsaved: 0n, milli: 0, reservedMilli: 0, settledAtMs: atMs },
  };
}

/** Nothing is kept for it any more. */
function dropPromises(state: State, job: JobRecord): void {
  changePromises(state, job, () => {
    job.nomination = job.target = null;
    endMove(state, job);
  });
}

type PromiseKind = 'JobNominated' | 'NominationDropped' | 'TargetChosen' | 'TargetDropped';

function promise(state: State, job: JobRecord, event: Extract<JobEvent, { kind: PromiseKind }> & { readonly atMs: number }): void {
  switch (event.kind) {
    case 'JobNominated':
      job.nomination = { victims: event.victims, placement: event.placement, model: event.model, atMs: event.atMs };
      return;
    case 'NominationDropped':
      job.nomination = null;
      endMove(state, job);
      return;
    case 'TargetChosen':
      job.target = { placement: event.placement, model: event.model, atMs: event.atMs };
      return;
    case 'TargetDropped':
      job.target = null;
      return;
    default:
      assertNever(event);
  }
}

/** Changes the phase and keeps in step the list of waiting jobs, what holds GPUs of an array, and who waits for this job. */
export function movePhase(state: State, job: JobRecord, phase: JobRecord['phase']): void {
  removePending(state, job);
  if (job.phase.kind === 'active') countArray(state, job, -1);
  if (phase.kind === 'active') countArray(state, job, 1);
  if (phase.kind === 'finished' && state.awaited.has(job.name)) state.scheduleDirty = true;
  countDisplaceable(state, job, -1);
  job.phase = phase;
  countDisplaceable(state, job, 1);
  noteResizable(state, job);
  noteSparing(state, job);
  noteSaved(state, job);
  if (phase.kind !== 'pending') dropPromises(state, job);
  if (phase.kind === 'pending') insertPending(state, job);
}
