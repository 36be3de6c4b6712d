import type { JobName, JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';

/** Who would move where, and what comes of it. */
export interface DefragPlan {
  readonly moves: readonly DefragMove[];
  readonly before: Holes;
  /** When all have moved. */
  readonly after: Holes;
  /** Of all moves together, milli-GPU-milliseconds. */
  readonly cost: number;
}

export interface DefragMove {
  readonly uid: JobUid;
  readonly name: JobName;
  readonly from: Placement;
  readonly placement: Placement;
  readonly model: string | null;
  /** What the move costs each of its GPUs: the work since its last checkpoint, and the restart. */
  readonly costMs: number;
  /** Of all its GPUs together, milli-GPU-milliseconds. */
  readonly cost: number;
}

/** What a cluster's free room looks like to who wants much of it in one place. */
export interface Holes {
  /** Free thousandths of GPUs on nodes that somebody holds a part of: the measure of fragmentation. */
  readonly scatteredMilli: number;
  /** By level, outermost first: domains of which every node lies free. */
  readonly free: readonly { readonly level: string; readonly domains: number }[];
}
