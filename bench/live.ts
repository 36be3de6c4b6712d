/**
 * Traces through the scheduling core that runs clusters, beside the replay's policies on the same files.
 *   node bench/live.ts [--no-slicing] [--save 600] [--first N] [trace ...]
 * Without names: muri-trace1. Every pass is the core's `step`; programs are played by their times alone: an attempt runs
 * from its placement on, saves every `--save` seconds, leaves at once when asked, and a restart costs what it costs in the
 * replay (7, 30 or 60 s by size). Nobody says how long a job runs, and each job is of a user of its own, as the replay knows
 * no users.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultPolicy } from '#controller/limits.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input } from '#core/inputs.ts';
import { apply } from '#core/state/apply.ts';
import { currentAttempt, emptyState } from '#core/state/state.ts';
import { step } from '#core/step.ts';
import { parseCluster } from '#sim/replay/input/parseCluster.ts';
import { parseJobs } from '#sim/replay/input/parseJobs.ts';
import { replayJobs, type ReplayJob } from '#sim/replay/replayJob.ts';
import { jctOf, makespanS, mean, nearestRank, queueOf } from '#sim/replay/replayTable.ts';
import { TimeHeap } from '#sim/replay/timeHeap.ts';
import { readInput } from '#sim/readInput.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { jobUid, type JobUid } from '#vocabulary/ids.ts';
import { printMachine } from './machine.ts';

const { values, positionals } = parseArgs({
  options: {
    'no-slicing': { type: 'boolean', default: false },
    save: { type: 'string', default: '600' },
    first: { type: 'string', default: '1000000' },
  },
  allowPositionals: true,
});
const policy = { ...defaultPolicy, timeSlicing: !values['no-slicing'], recentEventsMax: 10 };
const saveEveryS = Number(values.save);

interface Shape {
  readonly nodes: number;
  readonly nodeGpus: number;
}

/** Core and programs, in virtual time. Its seconds are the trace's; the core's clock is in milliseconds. */
class Live {
  readonly #state = emptyState();
  readonly #jobs: readonly ReplayJob[];
  readonly #byUid: ReadonlyMap<JobUid, ReplayJob>;
  readonly #shape: Shape;
  readonly #ends = new TimeHeap();
  /** When those that are awaited save next. */
  readonly #saves = new TimeHeap();
  readonly #savesAsked = new Set<JobUid>();
  readonly #running = new Set<JobUid>();
  #nowS = 0;
  #coming = 0;
  stops = 0;
  passes = 0;

  constructor(jobs: readonly ReplayJob[], shape: Shape) {
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
        inputs.push(applyJob(nameOf(job), { workers: job.gpus / gpusPerWorker, gpusPerWorker }, nameOf(job)));
      }
      this.#noteSaves();
      for (let events = this.#step(inputs); this.#play(events); events = this.#step([])) this.#noteSaves();
    }
  }

  #nextS(): number {
    const wakeS = this.#state.wakeAtMs === null || this.#state.pending.length === 0 ? Infinity : Math.ceil(this.#state.wakeAtMs / 1000);
    const submitS = this.#jobs[this.#coming]?.submitS ?? Infinity;
    return Math.min(this.#ends.nextS, this.#saves.nextS, submitS, Math.max(this.#nowS, wakeS));
  }

  #step(inputs: readonly Input[]): readonly StampedEvent[] {
    const { events, waits } = step(this.#state, inputs, { nowMs: this.#nowS * 1000, policy });
    if (waits !== null) this.passes += 1;
    if (waits !== null && this.#state.pending.length > 0) this.#askForSaves();
    return events;
  }

  /** A save that makes a pass due is an event in its own time. */
  #askForSaves(): void {
    for (const uid of this.#running) {
      const [job, record] = [this.#byUid.get(uid), this.#state.jobs.get(uid)];
      if (job === undefined || record === undefined || this.#savesAsked.has(uid)) continue;
      const saveS = this.#savedS(job) + saveEveryS;
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
    return startedS + Math.floor((this.#nowS - startedS) / saveEveryS) * saveEveryS;
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
    apply(this.#state, { ...event, atMs: this.#nowS * 1000 }, policy.recentEventsMax);
  }
}

const nameOf = ({ row }: ReplayJob): string => `j${String(row).padStart(7, '0')}`;
const uidOf = (job: ReplayJob): JobUid => jobUid(`uid-${nameOf(job)}`);

/** GPUs of each worker: as many as divide the job's into like workers that fit a node. */
function largestPart(gpus: number, nodeGpus: number): number {
  for (let part = Math.min(gpus, nodeGpus); part > 1; part -= 1) if (gpus % part === 0) return part;
  return 1;
}

async function measure(trace: string): Promise<void> {
  const read = (name: string): Promise<string> => readInput(fileURLToPath(new URL(`data/traces/${name}`, import.meta.url)));
  const shape = parseCluster(await read(`${trace}.cluster.yaml`), trace);
  const wanted = { file: trace, estimates: 'exact', totalGpus: shape.nodes * shape.nodeGpus } as const;
  const jobs = replayJobs(parseJobs(await read(`${trace}.csv.gz`), wanted).slice(0, Number(values.first)));
  const live = new Live(jobs, shape);
  const before = process.cpuUsage();
  live.run();
  const used = process.cpuUsage(before);
  const cpuS = (used.user + used.system) / 1e6;
  const unfinished = jobs.filter((job) => job.state !== 'done').length;
  const waits = (isWanted: (gpus: number) => boolean): number => Math.round(mean(jobs.filter(({ gpus }) => isWanted(gpus)).map(queueOf)));
  const sorted = jobs.map(jctOf).sort((left, right) => left - right);
  console.log(
    [
      `${trace}, time slicing ${policy.timeSlicing ? 'on' : 'off'}, saving every ${saveEveryS} s: ${jobs.length} jobs${unfinished === 0 ? '' : `, ${unfinished} unfinished`}`,
      `  mean JCT ${Math.round(mean(sorted))} s, p99 ${nearestRank(sorted, 0.99)} s, makespan ${makespanS(jobs)} s, stops ${live.stops}`,
      `  mean queue ${Math.round(mean(jobs.map(queueOf)))} s: below a node ${waits((gpus) => gpus < shape.nodeGpus)}, a node ${waits((gpus) => gpus === shape.nodeGpus)}, more ${waits((gpus) => gpus > shape.nodeGpus)}`,
      `  ${live.passes} passes, ${cpuS.toFixed(1)} s of CPU`,
    ].join('\n'),
  );
}

printMachine();
for (const trace of positionals.length > 0 ? positionals : ['muri-trace1']) await measure(trace);
