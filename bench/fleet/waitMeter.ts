/**
 * How long who waits.
 *
 * start    From the submission to the first placement; of a unit of a service, from when it is needed: it is asked for a minute before.
 * return   From the end of an attempt to the next placement of the same job: after a failure or a preemption.
 * within its guarantee
 *          A waiting job that, with what its queue holds and with the waiting ones before it that count as guaranteed
 *          themselves, is no more than the queue is guaranteed. Its wait is counted from when that became true, anew when it was untrue.
 */
import type { StepResult } from '#core/step.ts';
import { atLeast } from '#core/jobs/size.ts';
import type { JobView, StateView } from '#core/state/view.ts';
import { queueGpuMilli } from '#core/queues/usage.ts';
import type { JobUid, QueueName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';

export interface Wait {
  readonly job: string;
  readonly queue: QueueName;
  readonly gpus: number;
  readonly fromMs: number;
  readonly ms: number;
}

export interface Waits {
  readonly starts: readonly Wait[];
  readonly returns: readonly Wait[];
  /** Longest first; none of 0 ms. */
  readonly guaranteed: readonly Wait[];
}

interface OpenWait {
  readonly job: JobView;
  readonly fromMs: number;
}
type OpenWaits = ReadonlyMap<JobUid, OpenWait>;

export class WaitMeter {
  readonly #model: string;
  readonly #starts: Wait[] = [];
  readonly #returns: Wait[] = [];
  readonly #guaranteed: Wait[] = [];
  #open: OpenWaits = new Map();

  readonly #neededAtMs: ReadonlyMap<string, number>;

  /** `model`: the one of the cluster. `neededAtMs`: by job, of those that are asked for before. */
  constructor(model: string, neededAtMs: ReadonlyMap<string, number> = new Map()) {
    this.#model = model;
    this.#neededAtMs = neededAtMs;
  }

  onStep(state: StateView, result: StepResult, nowMs: number): void {
    for (const event of result.events) {
      if (event.kind !== 'AttemptPlaced') continue;
      const job = state.jobs.get(event.uid);
      if (job !== undefined) this.#notePlaced(job, event.attempt, nowMs);
    }
    if (result.waits !== null) this.#noteGuaranteed(state, nowMs);
  }

  #notePlaced(job: JobView, attempt: number, nowMs: number): void {
    const before = job.attempts[attempt - 2];
    const fromMs = before === undefined ? this.#startFromMs(job) : (before.endedAtMs ?? nowMs);
    (before === undefined ? this.#starts : this.#returns).push(waitOf(job, Math.min(fromMs, nowMs), nowMs));
  }

  #startFromMs({ name, createdAtMs }: JobView): number {
    return this.#neededAtMs.get(name) ?? createdAtMs;
  }

  #noteGuaranteed(state: StateView, nowMs: number): void {
    const open = new Map<JobUid, OpenWait>();
    const rooms = this.#rooms(state);
    for (const uid of state.pending) {
      const job = state.jobs.get(uid);
      if (job === undefined) continue;
      const room = rooms.get(job.spec.queue) ?? 0;
      const gpus = gpusOf(job);
      if (gpus > room) continue;
      rooms.set(job.spec.queue, room - gpus);
      open.set(uid, this.#open.get(uid) ?? { job, fromMs: nowMs });
    }
    for (const [uid, { job, fromMs }] of this.#open) if (!open.has(uid)) this.#close(job, fromMs, nowMs);
    this.#open = open;
  }

  /** GPUs that each queue may still claim. */
  #rooms(state: StateView): Map<QueueName, number> {
    const rooms = new Map<QueueName, number>();
    if (state.pending.length === 0) return rooms;
    for (const { name, spec } of state.queues.values())
      rooms.set(name, (spec.guaranteed[this.#model] ?? 0) - queueGpuMilli(state, name, this.#model) / gpuMilliPerGpu);
    return rooms;
  }

  #close(job: JobView, fromMs: number, nowMs: number): void {
    if (nowMs > fromMs) this.#guaranteed.push(waitOf(job, fromMs, nowMs));
  }

  /** Up to then: who still waits is counted with what it has waited. */
  read(state: StateView, nowMs: number): Waits {
    const still = state.pending.flatMap((uid) => {
      const job = state.jobs.get(uid);
      return job === undefined || job.attempts.length > 0 ? [] : [waitOf(job, Math.min(this.#startFromMs(job), nowMs), nowMs)];
    });
    const open = [...this.#open.values()].map(({ job, fromMs }) => waitOf(job, fromMs, nowMs));
    const guaranteed = [...this.#guaranteed, ...open].sort((left, right) => right.ms - left.ms || (left.job < right.job ? -1 : 1));
    return { starts: [...this.#starts, ...still], returns: this.#returns, guaranteed };
  }
}

/** The least that it can start with. */
function gpusOf(job: JobView): number {
  const { workers, gpusPerWorker } = atLeast(job).spec;
  return workers * gpusPerWorker;
}

function waitOf(job: JobView, fromMs: number, toMs: number): Wait {
  return { job: job.name, queue: job.spec.queue, gpus: gpusOf(job), fromMs, ms: toMs - fromMs };
}
