import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

/** Where a job stands in a pass of the Shoal policy. */
export class Standing {
  readonly job: ReplayJob;
  /** Smaller goes first: twice the level, and one more while it waits. */
  key = 0;
  /** Its place in the order of this pass. */
  rank = 0;
  /** No other job may take its GPUs in this pass. */
  claimed = false;
  startedNow = false;
  /** Attained service only grows, so that a level is never left downwards. */
  #level = 0;

  constructor(job: ReplayJob) {
    this.job = job;
  }

  /** At the start of a pass. */
  refresh(cluster: VirtualCluster, levelsGpuS: readonly number[]): void {
    const attained = cluster.attainedGpuS(this.job);
    while (attained >= (levelsGpuS[this.#level] ?? Infinity)) this.#level += 1;
    this.key = this.#level * 2 + (this.job.state === 'running' ? 0 : 1);
    this.claimed = false;
    this.startedNow = false;
  }

  before(other: Standing | undefined): boolean {
    return other !== undefined && (this.key - other.key || this.job.row - other.job.row) < 0;
  }
}
