import { assertNever } from '#vocabulary/assert.ts';
import type { JobEvent } from '../events.ts';
import { noAmounts } from '../ledger/amounts.ts';
import { changeOwners } from '../ledger/settle.ts';
import type { JobRecord, State } from '../state/state.ts';
import { insertPending, removePending } from './pending.ts';

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
      // The place in the order may change with the priority.
      removePending(state, job);
      changeOwners(state, job, () => {
        job.spec = event.spec;
        job.labels = event.labels;
      });
      job.annotations = event.annotations;
      if (job.phase.kind === 'pending') insertPending(state, job);
      return;
    case 'JobWanted':
      job.wanted = event.wanted;
      return;
    case 'JobParked':
      movePhase(state, job, { kind: event.phase, sinceMs: event.atMs });
      return;
    case 'JobNominated':
      job.nomination = { victims: event.victims, placement: event.placement, model: event.model, atMs: event.atMs };
      return;
    case 'NominationDropped':
      job.nomination = null;
      state.scheduleDirty = true;
      return;
    case 'JobRemoved':
      removePending(state, job);
      state.jobs.delete(job.uid);
      if (state.jobsByName.get(job.name) === job.uid) state.jobsByName.delete(job.name);
      return;
    default:
      assertNever(event);
  }
}

function createJob(state: State, event: Extract<JobEvent, { kind: 'JobCreated' }> & { readonly atMs: number }): void {
  const { uid, name, user, labels, annotations, spec, atMs } = event;
  const job: JobRecord = {
    uid,
    name,
    user,
    labels,
    annotations,
    spec,
    createdAtMs: atMs,
    changedAt: state.revision,
    wanted: 'run',
    phase: { kind: 'pending', sinceMs: atMs },
    nomination: null,
    attempts: [],
    progress: null,
    checkpoint: null,
    restarts: { applicationAtMs: [], infrastructure: 0, preemption: 0 },
    ledger: { amounts: noAmounts(), unsaved: 0n, milli: 0, settledAtMs: atMs },
  };
  state.jobs.set(uid, job);
  state.jobsByName.set(name, uid);
  insertPending(state, job);
}

/** Changes the phase and keeps the list of waiting jobs in step. */
export function movePhase(state: State, job: JobRecord, phase: JobRecord['phase']): void {
  removePending(state, job);
  job.phase = phase;
  if (phase.kind !== 'pending') job.nomination = null;
  if (phase.kind === 'pending') insertPending(state, job);
}
