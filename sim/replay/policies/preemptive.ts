/**
 * Preemptive policies of the literature in one scheme: all jobs that wait or run stand in one order, those at its front
 * whose GPUs fit the cluster's total are wanted, and what is not wanted may be stopped for them. Nothing migrates.
 *
 * Attained service in levels is Tiresias (Gu et al., NSDI'19); remaining time, and remaining time x GPUs, are the
 * oracles that know the run times.
 */
import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';
import type { Policy, PolicyRun } from './policy.ts';

interface Entry {
  readonly job: ReplayJob;
  key: number;
  wanted: boolean;
}

export function preemptivePolicy(order: string, key: (job: ReplayJob, cluster: VirtualCluster) => number): Policy {
  return { settings: { order, preempts: 'yes' }, begin: (cluster) => new PreemptiveRun(cluster, (job) => key(job, cluster)) };
}

export function attainedServicePolicy(levelsGpuS: readonly number[]): Policy {
  const level = (job: ReplayJob, cluster: VirtualCluster): number => {
    const attained = cluster.attainedGpuS(job);
    return levelsGpuS.filter((each) => attained >= each).length;
  };
  return {
    ...preemptivePolicy('level of attained service', level),
    settings: { order: 'level of attained service', preempts: 'yes', levelsGpuS },
    levelsGpuS,
  };
}

class PreemptiveRun implements PolicyRun {
  readonly #cluster: VirtualCluster;
  readonly #key: (job: ReplayJob) => number;
  #live: Entry[] = [];

  constructor(cluster: VirtualCluster, key: (job: ReplayJob) => number) {
    this.#cluster = cluster;
    this.#key = key;
  }

  arrive(job: ReplayJob): void {
    this.#live.push({ job, key: 0, wanted: false });
  }

  finish(): void {
    // Left to the next pass, which drops all that are done in one go.
  }

  interrupted(): void {
    // It stands in the order whether it runs or waits.
  }

  head(): ReplayJob | undefined {
    return this.#live.find(({ job }) => job.state === 'waiting')?.job;
  }

  pass(): void {
    this.#live = this.#live.filter(({ job }) => job.state !== 'done');
    for (const entry of this.#live) entry.key = this.#key(entry.job);
    if (!this.#isSorted()) this.#live.sort(inOrder);
    this.#markWanted();
    this.#startAllWanted();
    this.#fillIdle();
  }

  /** Most passes change nothing in the order, and looking is cheaper than sorting. */
  #isSorted(): boolean {
    let before: Entry | undefined;
    for (const entry of this.#live) {
      if (before !== undefined && inOrder(before, entry) > 0) return false;
      before = entry;
    }
    return true;
  }

  #markWanted(): void {
    let left = this.#cluster.pool.totalGpus - this.#cluster.pool.downGpus;
    for (const entry of this.#live) {
      entry.wanted = entry.job.gpus <= left;
      if (entry.wanted) left -= entry.job.gpus;
    }
  }

  /** A size that found no place finds none until something else was started, so that one look a size is enough. */
  #startAllWanted(): void {
    const hopelessGpus = new Set<number>();
    for (const { job, wanted } of this.#live) {
      if (!wanted || job.state === 'running' || hopelessGpus.has(job.gpus)) continue;
      if (this.#startWanted(job)) hopelessGpus.clear();
      else hopelessGpus.add(job.gpus);
    }
  }

  /** Lifts unwanted jobs, the last first, until it fits; those that it did not need, or all when it never fits, go back. */
  #startWanted(job: ReplayJob): boolean {
    const { pool } = this.#cluster;
    const lifted: ReplayJob[] = [];
    for (let at = this.#live.length - 1; at >= 0 && !pool.fits(job.gpus); at -= 1) {
      const victim = this.#live[at];
      if (victim === undefined || victim.wanted || victim.job.state !== 'running') continue;
      this.#cluster.lift(victim.job);
      lifted.push(victim.job);
    }
    const fits = pool.fits(job.gpus);
    if (fits) this.#cluster.start(job, pool.bestFit(job.gpus));
    for (const victim of lifted.reverse()) {
      if (pool.stillFree(victim)) this.#cluster.restore(victim);
      else this.#cluster.preempt(victim);
    }
    return fits;
  }

  #fillIdle(): void {
    const { pool } = this.#cluster;
    for (const { job } of this.#live) {
      if (pool.idleGpus === 0) return;
      if (job.state === 'waiting' && pool.fits(job.gpus)) this.#cluster.start(job, pool.bestFit(job.gpus));
    }
  }
}

function inOrder(a: Entry, b: Entry): number {
  return a.key - b.key || a.job.row - b.job.row;
}
