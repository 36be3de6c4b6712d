import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

/**
 * Makes room for a waiting job by stopping running ones of lower priority: the lowest priority first, then who started last,
 * then the highest row. Those that turn out not to be needed go on. Returns whom it stopped once the job has started;
 * undefined, and nothing has changed, when it never fits.
 */
export function evictFor(job: ReplayJob, running: readonly ReplayJob[], cluster: VirtualCluster): readonly ReplayJob[] | undefined {
  const { pool } = cluster;
  const worstFirst = [...running]
    .filter(({ priority }) => priority < job.priority)
    .sort((a, b) => a.priority - b.priority || b.startedS - a.startedS || b.row - a.row);
  const lifted: ReplayJob[] = [];
  for (const victim of worstFirst) {
    if (pool.fits(job.gpus)) break;
    cluster.lift(victim);
    lifted.push(victim);
  }
  const fits = pool.fits(job.gpus);
  if (fits) cluster.start(job, pool.bestFit(job.gpus));
  const stopped: ReplayJob[] = [];
  for (const victim of lifted.reverse()) {
    if (pool.stillFree(victim)) cluster.restore(victim);
    else stopped.push(victim);
  }
  return fits ? stopped : undefined;
}
