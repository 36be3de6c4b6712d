import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

/** How a policy came to its decisions, for the report. */
export type PolicySettings = Readonly<Record<string, string | number | readonly number[]>>;

/** An order of jobs and what is done with it. */
export interface Policy {
  readonly settings: PolicySettings;
  /** GPU-seconds at which a running job changes its level, ascending: there is a pass at each of them. */
  readonly levelsGpuS?: readonly number[];
  /** For one replay; what it keeps between passes is its own. */
  begin(cluster: VirtualCluster): PolicyRun;
}

export interface PolicyRun {
  arrive(job: ReplayJob): void;
  /** A job that ran is done and its GPUs are free. */
  finish(job: ReplayJob): void;
  /** A job that ran waits again, because one of its nodes failed. */
  interrupted(job: ReplayJob): void;
  /** One scheduling pass: starts what should run now. */
  pass(): void;
  /** The first in its order that waits after the pass. */
  head(): ReplayJob | undefined;
}
