import { assert } from '#vocabulary/assert.ts';
import { GpuPool, type ClusterShape } from './gpuPool.ts';
import type { ReplayJob } from './replayJob.ts';
import { TimeHeap } from './timeHeap.ts';

/**
 * What a preemption adds to the remaining time of its victim, in seconds, for 1 GPU, up to a node, and more than one
 * node: the constants of the Helios artifact (Hu et al., SC'21).
 */
const preemptionCostS = { oneGpu: 7, oneNode: 30, nodes: 60 } as const;

/** What a restart after a failure takes. */
const restartS = 300;

/** Clock, GPUs and jobs of a replay: what a policy may look at and do. */
export class VirtualCluster {
  readonly pool: GpuPool;
  readonly overheadFactor: number;
  nowS = 0;
  starts = 0;
  preemptions = 0;
  readonly #due = new TimeHeap();
  readonly #wakes = new TimeHeap();
  readonly #jobs: readonly ReplayJob[];
  /** Seconds of running until a job's level of service ends; Infinity when it has no more levels. */
  readonly #untilLevelEndsS: (job: ReplayJob) => number;

  constructor(
    jobs: readonly ReplayJob[],
    {
      shape,
      overheadFactor,
      levelsGpuS,
    }: { readonly shape: ClusterShape; readonly overheadFactor: number; readonly levelsGpuS: readonly number[] },
  ) {
    this.pool = new GpuPool(shape);
    this.overheadFactor = overheadFactor;
    this.#jobs = jobs;
    this.#untilLevelEndsS = (job) => {
      const attained = this.attainedGpuS(job);
      const end = levelsGpuS.find((each) => attained < each);
      return end === undefined ? Infinity : Math.ceil((end - attained) / job.gpus);
    };
  }

  /** When the next pass is due although nothing arrives; Infinity when nothing runs and nobody asked for one. */
  get nextPassS(): number {
    return Math.min(this.#nextDueS, this.#wakes.nextS);
  }

  /** Asks for a pass at a later time; the row only tells two such apart. */
  wakeAt(atS: number, { row }: ReplayJob): void {
    this.#wakes.push(atS, row);
  }

  /** Time goes on to here. */
  advance(toS: number): void {
    this.nowS = toS;
    while (this.#wakes.nextS <= toS) this.#wakes.pop();
  }

  get #nextDueS(): number {
    while (this.#due.size > 0 && !this.#isDue(this.#due.nextRow, this.#due.nextS)) this.#due.pop();
    return this.#due.nextS;
  }

  /** Of what is due by now, the next job, in the order of time and row. One that has reached its end is done; others crossed a level. */
  takeDue(): ReplayJob | undefined {
    if (this.#nextDueS > this.nowS) return undefined;
    const job = this.#jobs[this.#due.pop()];
    assert(job !== undefined, 'what is due is a row of the trace');
    if (this.remainingS(job) > 0) {
      this.#schedule(job);
      return job;
    }
    this.pool.give(job);
    this.#book(job);
    job.state = 'done';
    job.endS = this.nowS;
    return job;
  }

  start(job: ReplayJob, nodes: readonly number[]): void {
    this.pool.take(job, nodes);
    job.state = 'running';
    job.startedS = this.nowS;
    if (job.firstStartS < 0) job.firstStartS = this.nowS;
    this.starts += 1;
    this.#schedule(job);
  }

  /** Takes a job's GPUs, to see whether that helps: `restore` or `preempt` follow in the same pass. */
  lift(job: ReplayJob): void {
    this.pool.give(job);
    job.state = 'waiting';
  }

  /** Puts a lifted job back as if nothing had been. */
  restore(job: ReplayJob): void {
    this.pool.take(job, job.nodes);
    job.state = 'running';
  }

  /** A job that runs, or was lifted, waits again, with its cost. */
  preempt(job: ReplayJob): void {
    if (job.state === 'running') this.lift(job);
    this.#book(job);
    const cost = this.preemptionCostS(job.gpus);
    job.remainingS += cost;
    job.overheadS += cost;
    job.waitingSinceS = this.nowS;
    this.preemptions += 1;
  }

  /** A failure ends its run: what it did since the last checkpoint is lost. */
  interrupt(job: ReplayJob, checkpointEveryS: number): void {
    const lostS = (this.nowS - job.startedS) % checkpointEveryS;
    this.lift(job);
    this.#book(job);
    job.remainingS += lostS + restartS;
    job.overheadS += lostS + restartS;
    job.recomputedS += lostS;
    job.restartingS += restartS;
    job.waitingSinceS = this.nowS;
  }

  preemptionCostS(gpus: number): number {
    const cost = gpus === 1 ? preemptionCostS.oneGpu : gpus <= this.pool.nodeGpus ? preemptionCostS.oneNode : preemptionCostS.nodes;
    return cost * this.overheadFactor;
  }

  /** What is left to run, overheads included. */
  remainingS(job: ReplayJob): number {
    return job.state === 'running' ? job.remainingS - (this.nowS - job.startedS) : job.remainingS;
  }

  /** GPUs x time held, up to now. */
  attainedGpuS(job: ReplayJob): number {
    return job.gpus * (job.state === 'running' ? job.heldS + this.nowS - job.startedS : job.heldS);
  }

  #book(job: ReplayJob): void {
    const held = this.nowS - job.startedS;
    job.remainingS -= held;
    job.heldS += held;
  }

  #schedule(job: ReplayJob): void {
    job.dueS = this.nowS + Math.min(this.remainingS(job), this.#untilLevelEndsS(job));
    this.#due.push(job.dueS, job.row);
  }

  /** An entry outlives the run that made it; only the last one of a job that runs counts. */
  #isDue(row: number, atS: number): boolean {
    const job = this.#jobs[row];
    return job !== undefined && job.state === 'running' && job.dueS === atS;
  }
}
