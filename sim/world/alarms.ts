/**
 * Ticks are rare in virtual time: what has to be looked at at a time is looked at exactly then. Times are kept from the
 * state's own word, and from the deadlines of jobs.
 */
import type { StampedEvent } from '#core/events.ts';
import { heldMs } from '#core/jobs/endings.ts';
import type { StateView } from '#core/state/view.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Clock } from './clock.ts';

export class Alarms {
  readonly #clock: Clock;
  readonly #tick: () => void;
  readonly #view: () => StateView;
  /** When the state's own alarm is set in the queue. */
  #wakeAtMs: number | null = null;

  constructor(clock: Clock, view: () => StateView, tick: () => void) {
    this.#clock = clock;
    this.#view = view;
    this.#tick = tick;
  }

  note(event: StampedEvent): void {
    if (event.kind !== 'AttemptPlaced' && event.kind !== 'JobCreated' && event.kind !== 'JobChanged') return;
    const job = this.#view().jobs.get(event.uid);
    if (job === undefined) return;
    const nowMs = this.#clock.nowMs();
    const { maxRuntimeMs, deadlineMs } = job.spec;
    if (deadlineMs !== null) this.#tickAt(deadlineMs, job.uid);
    if (maxRuntimeMs !== null && job.phase.kind === 'active') this.#tickAt(nowMs + maxRuntimeMs - heldMs(job, nowMs), job.uid);
  }

  #tickAt(atMs: number, uid: JobUid): void {
    this.#clock.at(Math.max(atMs, this.#clock.nowMs()), () => {
      const phase = this.#view().jobs.get(uid)?.phase.kind;
      if (phase !== undefined && phase !== 'finished') this.#tick();
    });
  }

  /** A pass that is due at a time though nothing else happens. */
  setWake(): void {
    const { wakeAtMs } = this.#view();
    if (wakeAtMs === null || wakeAtMs === this.#wakeAtMs) return;
    this.#wakeAtMs = wakeAtMs;
    const nowMs = this.#clock.nowMs();
    this.#clock.at(Math.max(wakeAtMs, nowMs + 1), () => {
      if (this.#wakeAtMs === wakeAtMs) this.#wakeAtMs = null;
      const due = this.#view().wakeAtMs;
      if (due !== null && due <= this.#clock.nowMs()) this.#tick();
    });
  }

  /** The controller that had asked for it is gone. */
  forget(): void {
    this.#wakeAtMs = null;
  }
}
