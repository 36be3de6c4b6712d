import { assertNever } from '#vocabulary/assert.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { StampedEvent } from '../events.ts';
import { heldMs } from '../jobs/endings.ts';
import { endIfDone, exitedWithZero } from '../jobs/stop.ts';
import { savedAtMs } from '../queues/attained.ts';
import type { State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { AttemptView, JobView, StateView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import type { Due } from './dueList.ts';
import { DueList } from './dueList.ts';

/** How long a job that has held its place for `heldMs` (over all attempts) will hold one still: milliseconds, 1 or more. */
export type GuessRemaining = (job: JobView, heldMs: number) => number;

/**
 * The programs of a forecast, as far as the scheduler sees them: an attempt runs from its placement on for as long as is
 * guessed, and succeeds. One that is asked to leave does so after some seconds; it goes on later where it was, after the
 * restart, if it saves checkpoints at all. Nothing breaks.
 */
export class Programs {
  readonly due = new DueList();
  readonly #guess: GuessRemaining;
  readonly #restartCostMs: number;
  readonly #leaveMs: number;
  /** By when the attempt under way is through. */
  readonly #endsMs = new Map<JobUid, number>();
  /** How long who was stopped runs still. */
  readonly #leftMs = new Map<JobUid, number>();
  readonly #savesAsked = new Set<JobUid>();

  /** `leaveMs`: from the ask to leave to the end, if its grace is not shorter. */
  constructor(guess: GuessRemaining, { restartCostMs, leaveMs }: { readonly restartCostMs: number; readonly leaveMs: number }) {
    this.#guess = guess;
    this.#restartCostMs = restartCostMs;
    this.#leaveMs = leaveMs;
  }

  /** Takes over those that run. */
  begin(state: StateView, nowMs: number): void {
    for (const job of state.jobs.values()) {
      const attempt = currentAttempt(job);
      if (attempt === undefined) continue;
      this.#runsOn(job, attempt, nowMs);
      const { stage } = attempt;
      if (stage.kind === 'suspending' || stage.kind === 'stopping')
        this.#leave(job, attempt, Math.max(nowMs, stage.sinceMs + Math.min(stage.graceMs, this.#leaveMs)));
    }
  }

  /** When the job is through if it is not stopped before; null: it holds no place. */
  endMs(uid: JobUid): number | null {
    return this.#endsMs.get(uid) ?? null;
  }

  /** What its programs make of something that was decided. */
  follow(turn: Turn, event: StampedEvent): void {
    if (
      event.kind !== 'AttemptPlaced' &&
      event.kind !== 'SuspendStaged' &&
      event.kind !== 'SuspendCancelled' &&
      event.kind !== 'AttemptStopping'
    )
      return;
    const job = turn.state.jobs.get(event.uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined || attempt.number !== event.attempt) return;
    switch (event.kind) {
      case 'AttemptPlaced':
        this.#runsOn(job, attempt, event.atMs);
        turn.emit({ kind: 'AttemptStarted', uid: job.uid, attempt: attempt.number });
        return;
      case 'SuspendStaged':
      case 'AttemptStopping':
        this.#leave(job, attempt, event.atMs + Math.min(event.graceMs, this.#leaveMs));
        return;
      case 'SuspendCancelled':
        this.due.add({ atMs: this.#endsMs.get(job.uid) ?? event.atMs, job: job.uid, attempt: attempt.number, what: 'end' });
        return;
      default:
        assertNever(event);
    }
  }

  /** Lets happen what is due; what is about an earlier attempt, or overtaken, comes to nothing. */
  happen(turn: Turn, due: Due): void {
    const job = turn.state.jobs.get(due.job);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined || attempt.number !== due.attempt) return;
    const isLeaving = attempt.stage.kind === 'suspending' || attempt.stage.kind === 'stopping';
    switch (due.what) {
      case 'end':
        if (!isLeaving) this.#end(turn, job, attempt, exitedWithZero);
        return;
      case 'leave':
        if (!isLeaving) return;
        this.#leftMs.set(job.uid, this.#leftAfterStop(job, attempt, turn.context.nowMs));
        this.#end(turn, job, attempt, 'stopped as asked');
        return;
      case 'save':
        this.#savesAsked.delete(job.uid);
        if (!isLeaving) this.#save(turn, job, attempt);
        return;
      default:
        assertNever(due.what);
    }
  }

  /** Whose saving makes a pass due saves when it is time. All others save too, and nobody looks. */
  expectSaves(state: State, nowMs: number): void {
    for (const uid of state.saved) {
      const job = state.jobs.get(uid);
      const attempt = job === undefined ? undefined : currentAttempt(job);
      if (job === undefined || attempt === undefined || this.#savesAsked.has(uid)) continue;
      const everyMs = savesEveryMs(job);
      if (everyMs === null) continue;
      const beganMs = savedAtMs(job, attempt);
      const saveMs = beganMs + (Math.floor(Math.max(0, nowMs - beganMs) / everyMs) + 1) * everyMs;
      const dueMs = state.awaitsSave.dueAtMs(job, nowMs);
      if (dueMs === null || dueMs > saveMs) continue;
      this.#savesAsked.add(uid);
      this.due.add({ atMs: saveMs, job: uid, attempt: attempt.number, what: 'save' });
    }
  }

  #runsOn(job: JobView, attempt: AttemptView, nowMs: number): void {
    const held = heldMs(job, nowMs);
    const guessedMs = this.#leftMs.get(job.uid) ?? this.#guess(job, held);
    const { maxRuntimeMs } = job.spec;
    const remainingMs = Math.max(1, Math.min(guessedMs, maxRuntimeMs === null ? Infinity : maxRuntimeMs - held));
    this.#leftMs.delete(job.uid);
    this.#endsMs.set(job.uid, nowMs + remainingMs);
    this.due.add({ atMs: nowMs + remainingMs, job: job.uid, attempt: attempt.number, what: 'end' });
  }

  #leave(job: JobView, attempt: AttemptView, atMs: number): void {
    this.due.add({ atMs, job: job.uid, attempt: attempt.number, what: 'leave' });
  }

  #leftAfterStop({ uid, spec }: JobView, attempt: AttemptView, nowMs: number): number {
    const leftMs = Math.max(1, (this.#endsMs.get(uid) ?? nowMs) - nowMs);
    const lostMs = spec.checkpoint === null ? nowMs - attempt.placedAtMs : 0;
    return leftMs + lostMs + this.#restartCostMs;
  }

  /** As its agents would report it: the core judges what the attempt came to. */
  #end(turn: Turn, job: JobView, attempt: AttemptView, message: string): void {
    this.#endsMs.delete(job.uid);
    for (const [worker, { state }] of attempt.workers.entries()) {
      if (state === 'ended' || state === 'lost') continue;
      turn.emit({ kind: 'WorkerChanged', uid: job.uid, attempt: attempt.number, worker, state: 'ended', message, exitCodes: {} });
    }
    endIfDone(turn, job.uid);
  }

  #save(turn: Turn, job: JobView, attempt: AttemptView): void {
    const { step, path } = job.checkpoint ?? { step: attempt.lastStep, path: '' };
    turn.emit({ kind: 'CheckpointCompleted', uid: job.uid, attempt: attempt.number, step, path });
  }
}

/** Of a program that saves and does not say how often. */
const assumedSaveMs = 600_000;

/** null: it is not known to save. */
function savesEveryMs({ spec, checkpoint }: JobView): number | null {
  return checkpoint === null ? null : (spec.checkpoint?.intervalMs ?? assumedSaveMs);
}
