import type { ReplayJob } from '../replayJob.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

const firstLevelGpuS = 3_600;
const levelFactor = 4;
const levels = 10;
/** Attained service at which a job's level grows, in GPU-seconds: one GPU-hour, and on by factors of four. */
export const levelsGpuS: readonly number[] = Array.from({ length: levels }, (_, level) => firstLevelGpuS * levelFactor ** level);
/** Who waits so long in one go is overdue and goes before all others, the oldest first ... */
export const overdueAfterS = 7 * 86_400;
/** ... and is safe for so long once it runs. */
export const overdueRunsS = 3_600;

/** What a job's priority means beside its level. Without a rule it means nothing. */
export interface ClassRule {
  /** Jobs of this priority or more go before all others, the higher priority first, and need no patience. */
  readonly strictFromPriority: number;
  /** Below that, each step of priority counts as so many levels. */
  readonly levelsAPriority: number;
}

const noClasses: ClassRule = { strictFromPriority: Infinity, levelsAPriority: 0 };
/** Before every level, however it is lifted ... */
const overdueLevel = -900;
/** ... but not before a strict class. */
const levelsAStrictClass = 1_000;

/** Where a job stands in a pass of the Shoal policy. */
export class Standing {
  readonly job: ReplayJob;
  readonly #rule: ClassRule;
  /** Smaller goes first: twice the level that its class makes of it, and one more while it waits and is not overdue. */
  key = 0;
  /** Its place in the order of this pass. */
  rank = 0;
  /** No other job may take its GPUs in this pass. */
  claimed = false;
  startedNow = false;
  /** Attained service only grows, so that a level is never left downwards. */
  #level = 0;
  #patientUntilS = -1;
  #overdueFromS = -1;

  constructor(job: ReplayJob, rule = noClasses) {
    this.job = job;
    this.#rule = rule;
  }

  /** At the start of a pass. */
  refresh(cluster: VirtualCluster): void {
    const attained = cluster.attainedGpuS(this.job);
    while (attained >= (levelsGpuS[this.#level] ?? Infinity)) this.#level += 1;
    const overdue = this.#isOverdue(cluster);
    this.key = 2 * this.#levelInClass(overdue) + (this.job.state === 'waiting' && !overdue ? 1 : 0);
    this.claimed = false;
    this.startedNow = false;
  }

  /**
   * Whether it may stop others now. A job that waits is patient for as long as being stopped costs it: GPUs often come
   * free by themselves in that time. Asks for a pass at its end.
   */
  mayStopOthers(cluster: VirtualCluster): boolean {
    if (this.job.priority >= this.#rule.strictFromPriority) return true;
    const fromS = this.job.waitingSinceS + cluster.preemptionCostS(this.job.gpus);
    if (cluster.nowS >= fromS) return true;
    if (this.#patientUntilS !== fromS) cluster.wakeAt(fromS, this.job);
    this.#patientUntilS = fromS;
    return false;
  }

  before(other: Standing | undefined): boolean {
    return other !== undefined && (this.key - other.key || this.job.row - other.job.row) < 0;
  }

  #levelInClass(overdue: boolean): number {
    const { priority } = this.job;
    if (priority >= this.#rule.strictFromPriority) return (overdue ? -1 : this.#level) - priority * levelsAStrictClass;
    return overdue ? overdueLevel : this.#level - priority * this.#rule.levelsAPriority;
  }

  /** Asks for a pass when a waiting job will become it. */
  #isOverdue(cluster: VirtualCluster): boolean {
    const { state, startedS, waitingSinceS } = this.job;
    if (state === 'running') return startedS - waitingSinceS >= overdueAfterS && cluster.nowS - startedS < overdueRunsS;
    const fromS = waitingSinceS + overdueAfterS;
    if (cluster.nowS >= fromS) return true;
    if (this.#overdueFromS !== fromS) cluster.wakeAt(fromS, this.job);
    this.#overdueFromS = fromS;
    return false;
  }
}
