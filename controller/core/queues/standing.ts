import type { JobUid, QueueName, UserName } from '#vocabulary/ids.ts';
import type { Policy } from '../context.ts';
import { judgeReadiness } from '../jobs/readiness.ts';
import { currentAttempt } from '../state/state.ts';
import type { AttemptView, JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import type { Levels, Waiting } from './attained.ts';
import { attainedNow, heldMilli, levelsOf, savedAtMs, waitsSinceMs } from './attained.ts';

/**
 * Where a job stands by what it has had, and by how long it has waited.
 *
 * Attained service is GPUs x time held over all attempts of a job. A job's level is how many thresholds of it have been
 * passed: one GPU-hour, and on by factors of four. Lower levels go first, so that what turns out to be short is done
 * soon though nobody was told how long it takes (least attained service; Tiresias, Gu et al., NSDI'19). The time to the
 * next level grows with the level, so that who goes first changes ever more rarely.
 *
 * Nobody starves: who has waited for a week in one go is overdue, goes first in its queue and is then safe for an hour. Of
 * one user and queue one job at a time, the one that has waited longest, so that a flood of jobs is not an army of them.
 */
export interface Standing {
  /** 0 from the start; of an overdue job that waits `overdueLevel`. */
  readonly level: number;
  /** Since when it waits, of a nominee. Milliseconds since 1970. */
  readonly waitsSinceMs: number;
  /**
   * Of a victim: it may be stopped for those who had less and have waited since then, or longer. Who waits is patient for as
   * long as being stopped costs the victim: the work since it saved last and the restart. As both times go on alike,
   * this is one fixed point in time until the victim saves again. -Infinity: for nobody.
   */
  readonly yieldsToMs: number;
  /** Of a victim: it was overdue, and has its hour now. */
  readonly isSafe: boolean;
}

export const overdueLevel = -1;

/** Stands in nobody's way, and may stop nobody. */
export const noStanding: Standing = { level: 0, waitsSinceMs: Infinity, yieldsToMs: -Infinity, isSafe: false };

/** The standings of one pass. */
export class Standings {
  readonly #turn: Pick<Turn, 'state' | 'context'>;
  readonly #waiting: WaitingFirsts;
  readonly #levels: Levels;
  #overdue: ReadonlyMap<JobUid, Overdue> | null = null;
  #safe: Safe | null = null;

  constructor(turn: Pick<Turn, 'state' | 'context'>, waiting: WaitingFirsts) {
    this.#turn = turn;
    this.#waiting = waiting;
    this.#levels = levelsOf(turn.context.policy);
  }

  get isSlicing(): boolean {
    return this.#turn.context.policy.timeSlicing;
  }

  get nowMs(): number {
    return this.#turn.context.nowMs;
  }

  /** When somebody of those who wait now becomes overdue, though nothing else happens; null: nobody will. At the end of a pass. */
  nextOverdueAtMs(): number | null {
    const { context } = this.#turn;
    let safe: Safe | null = null;
    let soonest = Infinity;
    for (const job of this.#waiting.firsts()) {
      const atMs = waitsSinceMs(job, this.nowMs) + context.policy.overdueAfterMs;
      // Its turn comes when the hour of another job of its user is over.
      soonest = Math.min(soonest, atMs > this.nowMs ? atMs : ((safe ??= this.#readSafe()).get(ownerKey(job))?.untilMs ?? Infinity));
    }
    return soonest === Infinity ? null : soonest;
  }

  waiting(job: Waiting): Standing {
    const known = this.#turn.state.jobs.get(job.uid);
    const level = this.overdueSinceMs(job.uid) === null ? this.#levels.of(known?.attained ?? 0) : overdueLevel;
    return { ...noStanding, level, waitsSinceMs: waitsSinceMs(job, this.nowMs) };
  }

  running(job: JobView, attempt: AttemptView): Standing {
    const isSafe = this.safeUntilMs(job, attempt) !== null;
    const isOldEnough = this.slicedFromMs(attempt) <= this.nowMs;
    const yieldsToMs = isSafe || !isOldEnough ? -Infinity : this.patienceMs(job, attempt);
    return { ...noStanding, level: this.#levels.of(attainedNow(job, this.nowMs)), yieldsToMs, isSafe };
  }

  maySlice(job: JobView): boolean {
    return maySlice(this.#turn.context.policy, job);
  }

  patienceMs(job: JobView, attempt: AttemptView): number {
    return patienceMs(this.#turn.context.policy, job, attempt);
  }

  /** A turn shorter than the restart that it cost helps nobody. */
  slicedFromMs({ placedAtMs }: Pick<AttemptView, 'placedAtMs'>): number {
    return placedAtMs + this.#turn.context.policy.restartCostMs;
  }

  /** When it will have passed this level if it runs on; Infinity: never. */
  passesAtMs(job: JobView, attempt: AttemptView, level: number): number {
    return passesAtMs(this.#levels, { job, attempt, level }, this.nowMs);
  }

  /** Whoever has waited longest first. */
  overdueJobs(): readonly JobView[] {
    const overdue = [...this.#findOverdue().values()];
    return overdue.sort((left, right) => left.sinceMs - right.sinceMs || (left.job.uid < right.job.uid ? -1 : 1)).map(({ job }) => job);
  }

  /** null: it is not overdue, or another job of its user comes first. */
  overdueSinceMs(uid: JobUid): number | null {
    return this.#findOverdue().get(uid)?.sinceMs ?? null;
  }

  /** Until when it has its hour; null: it has none. */
  safeUntilMs(job: JobView, attempt: AttemptView): number | null {
    if (!this.#mayBeSafe(attempt)) return null;
    // Of nobody else of its user means that it was placed in this very pass.
    const first = this.#findSafe().get(ownerKey(job));
    const hasHour = first === undefined || first.uid === job.uid;
    return hasHour ? attempt.placedAtMs + this.#turn.context.policy.overdueRunMs : null;
  }

  #findOverdue(): ReadonlyMap<JobUid, Overdue> {
    if (this.#overdue !== null) return this.#overdue;
    const { state, context } = this.#turn;
    const { overdueAfterMs } = context.policy;
    const first = new Map<string, Overdue>();
    for (const job of this.#waiting.firsts()) {
      const sinceMs = waitsSinceMs(job, this.nowMs);
      if (sinceMs + overdueAfterMs > this.nowMs || judgeReadiness(state, job, this.nowMs) !== null) continue;
      const best = first.get(ownerKey(job));
      if (best === undefined || sinceMs < best.sinceMs || (sinceMs === best.sinceMs && job.uid < best.job.uid))
        first.set(ownerKey(job), { job, sinceMs });
    }
    const overdue = new Map<JobUid, Overdue>();
    for (const [owner, one] of first) if (!this.#findSafe().has(owner)) overdue.set(one.job.uid, one);
    this.#overdue = overdue;
    return overdue;
  }

  #mayBeSafe({ waitedMs, placedAtMs }: AttemptView): boolean {
    const { overdueAfterMs, overdueRunMs } = this.#turn.context.policy;
    return waitedMs >= overdueAfterMs && this.nowMs < placedAtMs + overdueRunMs;
  }

  #findSafe(): Safe {
    this.#safe ??= this.#readSafe();
    return this.#safe;
  }

  #readSafe(): Safe {
    const { state, context } = this.#turn;
    const safe = new Map<string, { readonly uid: JobUid; readonly untilMs: number }>();
    for (const node of state.nodes.values()) {
      for (const uid of node.jobs) {
        const job = state.jobs.get(uid);
        const attempt = job === undefined ? undefined : currentAttempt(job);
        if (job === undefined || attempt === undefined || !this.#mayBeSafe(attempt)) continue;
        const untilMs = attempt.placedAtMs + context.policy.overdueRunMs;
        const best = safe.get(ownerKey(job));
        if (best === undefined || untilMs < best.untilMs || (untilMs === best.untilMs && uid < best.uid))
          safe.set(ownerKey(job), { uid, untilMs });
      }
    }
    return safe;
  }
}

/** Whether the job can be stopped for who has had less at all: it has not said how long it takes, or too much. */
export function maySlice({ timeSlicing, declaredRuntimeMaxMs }: Policy, { spec: { preemptible, maxRuntimeMs } }: JobView): boolean {
  return timeSlicing && preemptible && (maxRuntimeMs === null || maxRuntimeMs > declaredRuntimeMaxMs);
}

/** As `yieldsToMs`, but for that an attempt may be safe or too young now. A program that has never saved would lose all, and might never end. */
export function patienceMs(policy: Policy, job: JobView, attempt: AttemptView): number {
  if (!maySlice(policy, job) || job.checkpoint === null) return -Infinity;
  return savedAtMs(job, attempt) - policy.restartCostMs;
}

/** When the attempt will have brought the job past this level if it runs on; Infinity: never. */
export function passesAtMs(
  { thresholds }: Levels,
  { job, attempt, level }: { readonly job: JobView; readonly attempt: AttemptView; readonly level: number },
  nowMs: number,
): number {
  const threshold = thresholds[level];
  const milli = heldMilli(job, attempt);
  if (threshold === undefined || milli === 0) return Infinity;
  return nowMs + Math.max(0, Math.ceil((threshold - attainedNow(job, nowMs)) / milli));
}

/** Of those who wait, whoever has waited longest among jobs that are alike. */
export interface WaitingFirsts {
  firsts(): Iterable<JobView>;
}

interface Overdue {
  readonly job: JobView;
  readonly sinceMs: number;
}

const ownerKey = ({ user, spec }: { readonly user: UserName; readonly spec: { readonly queue: QueueName } }): string =>
  `${spec.queue} ${user}`;

/** By user and queue, the one that was placed first of those who have their hour. */
type Safe = ReadonlyMap<string, { readonly uid: JobUid; readonly untilMs: number }>;
