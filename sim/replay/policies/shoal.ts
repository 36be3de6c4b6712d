/**
 * Shoal's policy for a cluster that may stop jobs: it is told no run times and guesses none.
 *
 * Order: levels of attained service, GPUs x time held, so that what has had little goes first (Tiresias, Gu et al.,
 * NSDI'19, who take it from least-attained-service queueing; Nuyens and Wierman 2008). The levels are a factor of four
 * apart from one GPU-hour on; inside a level a running job stands before a waiting one, which keeps neighbours from
 * stopping each other in turns; then submission.
 *
 * Shape: Tiresias counts GPUs, and on real nodes the counted GPUs lie scattered, so that jobs of one node or more wait
 * while small ones fill the gaps. Here jobs claim GPUs on nodes, in order: a running one where it is; a waiting one on
 * free GPUs, else on the nodes where the best of those it would stop stands last. A job of a node or more that still finds
 * no place may move claimed smaller jobs out of its way when all of them fit elsewhere at once (see moveAside.ts).
 *
 * A waiting job is patient before it stops others, for as long as being stopped would cost it. Nobody starves: who has waited
 * for a week in one go goes first of all, and then runs for at least an hour (see standing.ts). The numbers were chosen on
 * the six traces of bench/data/traces and one more of Muri's; neighbouring values give nearly the same.
 */
import { ClaimPass } from './claimPass.ts';
import { moveAside } from './moveAside.ts';
import type { Policy, PolicyRun } from './policy.ts';
import { levelsGpuS, overdueAfterS, overdueRunsS, Standing, type ClassRule } from './standing.ts';
import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

/** Serving and flagship runs before all others; among the rest a priority is worth a level. */
const fleetClasses: ClassRule = { strictFromPriority: 3, levelsAPriority: 1 };

export const shoalPolicy: Policy = {
  settings: {
    order: 'level of attained service, running before waiting, submission',
    preempts: 'yes',
    placement: 'claims on nodes; small jobs may be moved for one that fills a node',
    levelsGpuS,
    patience: 'what being stopped costs the job',
    overdueAfterS,
    overdueRunsS,
  },
  levelsGpuS,
  begin: (cluster) => new ShoalRun(cluster),
};

/** The same where the trace's priorities are classes. */
export const shoalClassesPolicy: Policy = {
  ...shoalPolicy,
  settings: { ...shoalPolicy.settings, ...fleetClasses },
  begin: (cluster) => new ShoalRun(cluster, fleetClasses),
};

class ShoalRun implements PolicyRun {
  readonly #cluster: VirtualCluster;
  readonly #rule: ClassRule | undefined;
  /** All that wait or run, in order after a pass. */
  #live: Standing[] = [];
  readonly #byRow: Standing[] = [];

  constructor(cluster: VirtualCluster, rule?: ClassRule) {
    this.#cluster = cluster;
    this.#rule = rule;
  }

  arrive(job: ReplayJob): void {
    const standing = new Standing(job, this.#rule);
    this.#byRow[job.row] = standing;
    this.#live.push(standing);
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
    for (const standing of this.#live) standing.refresh(this.#cluster);
    if (!this.#live.every((standing, at) => at === 0 || !standing.before(this.#live[at - 1])))
      this.#live.sort((a, b) => a.key - b.key || a.job.row - b.job.row);
    for (const [rank, standing] of this.#live.entries()) standing.rank = rank;
    const from = this.#startWhatFits();
    if (from < this.#live.length) this.#claim(from);
  }

  /** As long as each waiting job fits on free GPUs no claim is needed. Returns where that ends. */
  #startWhatFits(): number {
    const { pool } = this.#cluster;
    for (const [at, standing] of this.#live.entries()) {
      const { job } = standing;
      if (job.state === 'running') continue;
      if (!pool.fits(job.gpus)) return at;
      this.#cluster.start(job, pool.bestFit(job.gpus));
      standing.startedNow = true;
    }
    return this.#live.length;
  }

  #claim(from: number): void {
    const claims = new ClaimPass(this.#cluster, this.#byRow);
    for (const standing of this.#live.slice(0, from)) claims.claim(standing);
    // What needs as much as a small job that found no place need not look for one.
    let hopelessGpus = Infinity;
    for (const standing of this.#live.slice(from)) {
      const { job } = standing;
      if (job.state === 'running') claims.claim(standing);
      else if (job.gpus < hopelessGpus && !this.#place(claims, standing)) hopelessGpus = job.gpus;
    }
  }

  /** False when a small job found no place, not even by stopping others. */
  #place(claims: ClaimPass, standing: Standing): boolean {
    const { gpus } = standing.job;
    const { pool } = this.#cluster;
    if (!pool.fits(gpus) && !standing.mayStopOthers(this.#cluster)) return true;
    if (claims.place(standing)) return true;
    if (gpus < pool.nodeGpus) return false;
    moveAside(claims, standing);
    return true;
  }
}
