/**
 * Policies that never stop a job: a queue in the order of (key, submission, row). `strict` stops at the first job that
 * does not fit, `skip` tries those behind it, `backfill` too, but only where the first one loses nothing (see backfill.ts).
 */
import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';
import { Backfill } from './backfill.ts';
import { evictFor } from './evictFor.ts';
import type { Policy, PolicyRun } from './policy.ts';

export interface QueueRule {
  readonly behindTheHead: 'strict' | 'skip' | 'backfill';
  /** Smaller goes first. */
  readonly key: (job: ReplayJob) => number;
  /** The key in words. */
  readonly order: string;
  /** Waiting jobs of this priority or more may stop running ones of a lower one; absent: nobody is stopped. */
  readonly evictsFromPriority?: number;
}

export function queuePolicy(rule: QueueRule): Policy {
  const { behindTheHead, order, evictsFromPriority } = rule;
  return {
    settings: { order, behindTheHead, ...(evictsFromPriority === undefined ? {} : { evictsFromPriority }) },
    begin: (cluster) => new QueueRun(cluster, rule),
  };
}

class QueueRun implements PolicyRun {
  readonly #cluster: VirtualCluster;
  readonly #rule: QueueRule;
  readonly #backfill: Backfill;
  /** In order; those before `#first` have started. */
  #waiting: ReplayJob[] = [];
  #first = 0;

  constructor(cluster: VirtualCluster, rule: QueueRule) {
    this.#cluster = cluster;
    this.#rule = rule;
    this.#backfill = new Backfill(cluster);
  }

  arrive(job: ReplayJob): void {
    const key = this.#rule.key(job);
    let [low, high] = [this.#first, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle];
      if (other !== undefined && (this.#rule.key(other) - key || other.row - job.row) < 0) low = middle + 1;
      else high = middle;
    }
    if (low === this.#waiting.length) this.#waiting.push(job);
    else this.#waiting.splice(low, 0, job);
  }

  finish(job: ReplayJob): void {
    if (this.#rule.behindTheHead === 'backfill') this.#backfill.ended(job);
  }

  interrupted(job: ReplayJob): void {
    this.finish(job);
    this.arrive(job);
  }

  head(): ReplayJob | undefined {
    return this.#waiting[this.#first];
  }

  pass(): void {
    if (this.#rule.evictsFromPriority !== undefined) this.#evict(this.#rule.evictsFromPriority);
    this.#startHeads();
    const head = this.head();
    if (head === undefined || this.#rule.behindTheHead === 'strict' || this.#cluster.pool.idleGpus === 0) return;
    const { pool } = this.#cluster;
    this.#startBehind(this.#rule.behindTheHead === 'skip' ? ({ gpus }) => pool.bestFit(gpus) : this.#backfill.around(head));
  }

  #evict(fromPriority: number): void {
    for (const job of this.#waiting.slice(this.#first).filter(({ priority }) => priority >= fromPriority)) {
      const stopped = evictFor(job, this.#backfill.running(), this.#cluster);
      if (stopped === undefined) continue;
      this.#backfill.started(job);
      this.#waiting.splice(this.#waiting.indexOf(job, this.#first), 1);
      for (const each of stopped) {
        this.#backfill.ended(each);
        this.#cluster.preempt(each);
        this.arrive(each);
      }
    }
  }

  #startHeads(): void {
    for (let head = this.head(); head !== undefined && this.#cluster.pool.fits(head.gpus); head = this.head()) {
      this.#start(head, this.#cluster.pool.bestFit(head.gpus));
      this.#first += 1;
    }
    // The started ones are cut off now and then only, so that a long queue is not copied at every start.
    if (this.#first > 1_024 && this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** `placeFor` is asked about jobs that fit now. */
  #startBehind(placeFor: (job: ReplayJob) => readonly number[] | undefined): void {
    const { pool } = this.#cluster;
    let started = 0;
    for (let at = this.#first + 1; at < this.#waiting.length && pool.idleGpus > 0; at += 1) {
      const job = this.#waiting[at];
      if (job === undefined || !pool.fits(job.gpus)) continue;
      const nodes = placeFor(job);
      if (nodes === undefined) continue;
      this.#start(job, nodes);
      started += 1;
    }
    if (started === 0) return;
    this.#waiting = this.#waiting.slice(this.#first).filter(({ state }) => state === 'waiting');
    this.#first = 0;
  }

  #start(job: ReplayJob, nodes: readonly number[]): void {
    this.#cluster.start(job, nodes);
    if (this.#rule.behindTheHead === 'backfill') this.#backfill.started(job);
  }
}
