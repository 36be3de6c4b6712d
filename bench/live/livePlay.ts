import type { Policy } from '#core/context.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input } from '#core/inputs.ts';
import { apply } from '#core/state/apply.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { currentAttempt } from '#core/state/state.ts';
import { step } from '#core/step.ts';
import type { ReplayJob } from '#sim/replay/replayJob.ts';
import { TimeHeap } from '#sim/replay/timeHeap.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { jobUid, type JobUid } from '#vocabulary/ids.ts';

export interface Shape {
  readonly nodes: number;
  readonly nodeGpus: number;
}

export interface LiveOptions {
  readonly policy: Policy;
  readonly saveEveryS: number;
  /** Whose a job is; each is of a user of its own unless told. */
  readonly userOf?: (job: ReplayJob) => string;
  /** Called when all that a moment brings is decided; what it gives is decided at once, too. */
  readonly afterMoment?: (state: State, nowMs: number) => readonly Input[];
}

/** Core and programs, in virtual time. Its seconds are the trace's; the core's clock is in milliseconds. */
export class Live {
  readonly #state = emptyState();
  readonly #jobs: readonly ReplayJob[];
  readonly #byUid: ReadonlyMap<JobUid, ReplayJob>;
  readonly #shape: Shape;
  readonly #options: LiveOptions;
  readonly #ends = new TimeHeap();
  /** When those that are awaited save next. */
  readonly #saves = new TimeHeap();
  readonly #savesAsked = new Set<JobUid>();
  readonly #running = new Set<JobUid>();
  #nowS = 0;
  #coming = 0;
  stops = 0;
  passes = 0;

  constructor(jobs: readonly ReplayJob[], shape: Shape, options: LiveOptions) {
    this.#options = options;
    this.#jobs = jobs;
    this.#shape = shape;
    this.#byUid = new Map(jobs.map((job) => [uidOf(job), job]));
    this.#step([{ kind: 'createCluster', clusterId: 'live' }, { kind: 'electLeader', version: 'live' }, applyQueue('default')]);
    for (let node = 0; node < shape.nodes; node += 1) {
      const name = `n${String(node).padStart(5, '0')}`;
      this.#step([{ kind: 'hello', hello: new FakeAgent({ name, rack: 'r1', gpus: shape.nodeGpus }).hello() }]);
    }
  }

  run(): void {
    for (let nextS = this.#nextS(); nextS < Infinity; nextS = this.#nextS()) {
      this.#nowS = nextS;
      while (this.#ends.nextS <= nextS) this.#finish(this.#ends.pop());
      while (this.#saves.nextS <= nextS) this.#saved(this.#saves.pop());
      const inputs: Input[] = [];
      for (let job = this.#jobs[this.#coming]; job !== undefined && job.submitS <= nextS; job = this.#jobs[this.#coming]) {
        this.#coming += 1;
        job.state = 'waiting';
        const gpusPerWorker = largestPart(job.gpus, this.#shape.nodeGpus);
        const user = this.#options.userOf?.(job) ?? nameOf(job);
        inputs.push(applyJob(nameOf(job), { workers: job.gpus / gpusPerWorker, gpusPerWorker }, user));
      }
      this.#noteSaves();
      for (let events = this.#step(inputs); this.#play(events); events = this.#step([])) this.#noteSaves();
      const more = this.#options.afterMoment?.(this.#state, nextS * 1000) ?? [];
      if (more.length > 0) this.#play(this.#step(more));
    }
  }

  #nextS(): number {
    const wakeS = this.#state.wakeAtMs === null || this.#state.pending.length === 0 ? Infinity : Math.ceil(this.#state.wakeAtMs / 1000);
    const submitS = this.#jobs[this.#coming]?.submitS ?? Infinity;
    return Math.min(this.#ends.nextS, this.#saves.nextS, submitS, Math.max(this.#nowS, wakeS));
  }

  #step(inputs: readonly Input[]): readonly StampedEvent[] {
    const { events, waits } = step(this.#state, inputs, { nowMs: this.#nowS * 1000, policy: this.#options.policy });
    if (waits !== null) this.passes += 1;
    if (waits !== null && this.#state.pending.length > 0) this.#askForSaves();
    return events;
  }

  /** A save that makes a pass due is an event in its own time. */
  #askForSaves(): void {
    for (const uid of this.#running) {
      const [job, record] = [this.#byUid.get(uid), this.#state.jobs.get(uid)];
      if (job === undefined || record === undefined || this.#savesAsked.has(uid)) continue;
      const saveS = this.#savedS(job) + this.#options.saveEveryS;
      const dueMs = this.#state.awaitsSave.dueAtMs(record, this.#nowS * 1000);
      if (dueMs === null || dueMs > saveS * 1000) continue;
      this.#savesAsked.add(uid);
      this.#saves.push(saveS, job.row);
    }
  }

  /** Whether there is more to decide now. */
  #play(events: readonly StampedEvent[]): boolean {
    for (const event of events) {
      if (event.kind === 'AttemptPlaced') this.#start(event.uid);
      if (event.kind === 'SuspendStaged') this.#stop(event.uid);
    }
    return this.#state.scheduleDirty;
  }

  #start(uid: JobUid): void {
    const job = this.#byUid.get(uid);
    if (job === undefined) return;
    [job.state, job.startedS, job.dueS] = ['running', this.#nowS, this.#nowS + job.remainingS];
    this.#ends.push(job.dueS, job.row);
    this.#running.add(uid);
    this.#happen({ kind: 'AttemptStarted', uid, attempt: this.#attempt(uid) });
  }

  #stop(uid: JobUid): void {
    const job = this.#byUid.get(uid);
    if (job?.state !== 'running') return;
    const costS = job.gpus === 1 ? 7 : job.gpus <= this.#shape.nodeGpus ? 30 : 60;
    [job.state, job.remainingS] = ['waiting', job.dueS - this.#nowS + costS];
    this.stops += 1;
    this.#end(uid, 'Preempted');
  }

  #finish(row: number): void {
    const job = this.#jobs[row];
    // Stopped since, and started again: that end comes later.
    if (job?.state !== 'running' || job.dueS !== this.#nowS) return;
    [job.state, job.endS] = ['done', this.#nowS];
    this.#end(uidOf(job), 'Succeeded');
  }

  #end(uid: JobUid, reason: 'Preempted' | 'Succeeded'): void {
    this.#running.delete(uid);
    const next = reason === 'Preempted' ? ({ kind: 'pending' } as const) : ({ kind: 'finished', outcome: 'Succeeded' } as const);
    this.#happen({ kind: 'AttemptEnded', uid, attempt: this.#attempt(uid), reasons: [reason], message: '', charged: false, next });
  }

  #savedS({ startedS }: ReplayJob): number {
    return startedS + Math.floor((this.#nowS - startedS) / this.#options.saveEveryS) * this.#options.saveEveryS;
  }

  /** One of those whose saving is awaited did. */
  #saved(row: number): void {
    const job = this.#jobs[row];
    if (job === undefined) return;
    this.#savesAsked.delete(uidOf(job));
    if (job.state !== 'running' || this.#savedS(job) !== this.#nowS) return;
    this.#happen({ kind: 'CheckpointCompleted', uid: uidOf(job), attempt: this.#attempt(uidOf(job)), step: this.#nowS, path: '' });
  }

  /** All others save too, but a pass needs not be run for it: the core learns it before the next one. */
  #noteSaves(): void {
    if (this.#state.pending.length === 0) return;
    for (const uid of this.#running) {
      const [job, record] = [this.#byUid.get(uid), this.#state.jobs.get(uid)];
      const attempt = record === undefined ? undefined : currentAttempt(record);
      if (job === undefined || record === undefined || attempt === undefined) continue;
      const savedS = this.#savedS(job);
      if (savedS <= job.startedS) continue;
      record.checkpoint = { step: savedS, path: '', atMs: savedS * 1000, attempt: attempt.number };
      this.#state.saved.add(uid);
    }
  }

  #attempt(uid: JobUid): number {
    return this.#state.jobs.get(uid)?.attempts.length ?? 0;
  }

  #happen(event: Parameters<typeof apply>[1] extends infer E ? (E extends StampedEvent ? Omit<E, 'atMs'> : never) : never): void {
    apply(this.#state, { ...event, atMs: this.#nowS * 1000 }, this.#options.policy.recentEventsMax);
  }
}

const nameOf = ({ row }: ReplayJob): string => `j${String(row).padStart(7, '0')}`;
export const uidOf = (job: ReplayJob): JobUid => jobUid(`uid-${nameOf(job)}`);

/** GPUs of each worker: as many as divide the job's into like workers that fit a node. */
function largestPart(gpus: number, nodeGpus: number): number {
  for (let part = Math.min(gpus, nodeGpus); part > 1; part -= 1) if (gpus % part === 0) return part;
  return 1;
}
