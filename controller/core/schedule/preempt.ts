import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { askToLeave, cancelLeaving } from '../jobs/stop.ts';
import type { Claim } from '../queues/entitlement.ts';
import { EntitlementBook, mayDisplace } from '../queues/entitlement.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import type { Hold } from './capacity/capacity.ts';
import { placeAt } from './capacity/devices.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { modelsFor } from './decidePlacement.ts';
import type { Wish } from './requestOf.ts';
import { requestOf, wishesKey } from './requestOf.ts';
import type { Backfill } from './reserve/backfill.ts';
import { fits } from './gang/findPlacement.ts';
import type { Entitlement, Evictable, VictimPlan } from './victims/chooseVictims.ts';
import { chooseVictims } from './victims/chooseVictims.ts';
import { countsFor, coverDeficits, findDeficits } from './victims/quota.ts';
import { leavingCost } from './victims/costs.ts';

/**
 * Who is asked to leave for whom, over several passes:
 *
 *   nominate  victims are chosen and the whole plan is verified; only then are they asked, and the nominee and its place
 *             are in the log
 *   wait      what is free of that place is kept for the nominee; the rest comes as the victims save and stop
 *   start     an ordinary placement; it ends the nomination
 *   cancel    the nominee found room elsewhere, is gone, or its place broke: who has not been told to stop runs on
 *
 * What entitles a job to that is in queues/entitlement.ts, whose rules exclude that a victim comes back at its
 * displacer's cost.
 */
export class Preemption {
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  readonly #book: EntitlementBook;
  readonly #backfill: Backfill;
  /** Leaving already, for another nominee. */
  readonly #claimed = new Set<JobUid>();
  /** Of victims who have not left yet, in the book as gone: else several nominees would each take what the queue can spare once. */
  readonly #gone = new Map<JobUid, Claim>();
  /** Free parts of the places of nominees whose turn has not come. */
  readonly #kept = new Map<JobUid, readonly Hold[]>();
  #searches = 0;
  /** Searches of this pass that found nobody: for the like of them the answer is the same. */
  readonly #inVain = new Set<string>();
  #wakeAtMs: number | null = null;
  #running: readonly Running[] | null = null;

  constructor(turn: Turn, cluster: ClusterRoom, backfill: Backfill) {
    this.#turn = turn;
    this.#backfill = backfill;
    this.#cluster = cluster;
    this.#book = new EntitlementBook(turn.state);
  }

  /** When somebody may be asked who was not, as it had run too short a time; null: nobody was spared for that. */
  get wakeAtMs(): number | null {
    return this.#wakeAtMs;
  }

  /**
   * Waiting jobs that were promised a place, the oldest promise first. What is free of each place is held until it is the
   * nominee's turn (`lift`): else an older nominee would take the room that was made for a younger one, and be thrown out for it.
   */
  nominees(): readonly JobView[] {
    const { state } = this.#turn;
    const nominees = state.pending.flatMap((uid) => {
      const job = state.jobs.get(uid);
      return job !== undefined && job.nomination !== null ? [job] : [];
    });
    nominees.sort((left, right) => (left.nomination?.atMs ?? 0) - (right.nomination?.atMs ?? 0) || (left.uid < right.uid ? -1 : 1));
    for (const job of nominees) {
      if (job.nomination === null) continue;
      for (const uid of job.nomination.victims) this.#claim(uid);
      this.#kept.set(job.uid, this.#backfill.holdFree(job, job.nomination.placement, job.nomination.model));
    }
    return nominees;
  }

  /** It is the nominee's turn: its place is not held any more. */
  lift(job: JobView): void {
    for (const hold of this.#kept.get(job.uid) ?? []) this.#cluster.room.capacity.give(hold);
    this.#kept.delete(job.uid);
  }

  /** The nominee does not fit yet: keeps what is free of its place, or drops a promise that cannot come true any more. */
  hold(job: JobView): WaitReason | null {
    const { nomination } = job;
    if (nomination === null) return null;
    const leaving = nomination.victims.filter((uid) => isLeaving(this.#turn.state.jobs.get(uid)));
    if (leaving.length === 0 || !this.#comesTrue(job, leaving, nomination.model)) {
      this.#turn.emit({ kind: 'NominationDropped', uid: job.uid, message: 'the place that it was promised is not to be had any more' });
      this.release(nomination.victims);
      return null;
    }
    this.#reserve(job, nomination.placement, nomination.model);
    return this.#waits(job, leaving);
  }

  /** Victims that are no longer needed run on if they can. */
  release(victims: readonly JobUid[]): void {
    for (const uid of victims) {
      const victim = this.#turn.state.jobs.get(uid);
      if (victim !== undefined) cancelLeaving(this.#turn, victim);
      this.#claimed.delete(uid);
      const claim = this.#gone.get(uid);
      if (claim === undefined || isLeaving(victim)) continue;
      this.#book.take(claim);
      this.#gone.delete(uid);
    }
  }

  /** For one nominee, and nobody else's. */
  #claim(uid: JobUid): void {
    this.#claimed.add(uid);
    const victim = this.#turn.state.jobs.get(uid);
    const attempt = victim === undefined ? undefined : currentAttempt(victim);
    if (victim === undefined || attempt === undefined || !isLeaving(victim) || this.#gone.has(uid)) return;
    const claim = claimOf(victim, attempt.model);
    this.#book.give(claim);
    this.#gone.set(uid, claim);
  }

  /** Finds victims for a job that does not fit, and asks them; null: nobody may be asked, or it would not help. */
  nominate(job: Nominee): WaitReason | null {
    const { policy } = this.#turn.context;
    const { queue, priority } = job.spec;
    const key = JSON.stringify([queue, job.user, priority, wishesKey(job, this.#turn.context.nowMs)]);
    if (this.#inVain.has(key) || this.#searches >= policy.victimSearchesPerPassMax || !this.#mayDisplaceAnybody(job)) return null;
    for (const model of modelsFor(this.#cluster.room, job, [])) {
      if (model === null || !isQuotaToFree(findBrokenLimit(this.#turn.state, job, model))) continue;
      this.#searches += 1;
      this.#backfill.showFor(job);
      const plan = this.#search(job, model);
      if (plan === null) continue;
      const placement = (plan.spots[0] ?? []).map((spot) => placeAt(this.#cluster.room.capacity, spot));
      this.#turn.emit({ kind: 'JobNominated', uid: job.uid, victims: plan.victims, placement, model });
      for (const uid of plan.victims) {
        const victim = this.#turn.state.jobs.get(uid);
        if (victim !== undefined) askToLeave(this.#turn, victim, 'Preempted');
        this.#claim(uid);
      }
      this.#reserve(job, placement, model);
      return this.#waits(job, plan.victims);
    }
    this.#inVain.add(key);
    return null;
  }

  #search(job: Nominee, model: string): VictimPlan | null {
    const nominee = claimOf(job, model);
    const mark = this.#book.mark();
    const given = new Map<JobUid, Claim>();
    const deficits = findDeficits(this.#turn.state.queues, this.#book, nominee);
    const evictable = this.#allRunning().flatMap(({ victim, claim, evictable: each }) => {
      if (this.#claimed.has(victim.uid) || claim.model !== model || !countsFor(this.#book, claim, deficits)) return [];
      // Somebody ahead in the order was promised its place.
      if (this.#backfill.promises.touches(each.holds)) return [];
      // Who leaves anyway costs nothing and need not be asked.
      if (isLeaving(victim)) return [{ ...each, cost: 0 }];
      if (!mayDisplace(nominee, claim, this.#book)) return [];
      const untilMs = sparedUntilMs(victim);
      if (untilMs <= this.#turn.context.nowMs) return [each];
      this.#wakeAtMs = Math.min(untilMs, this.#wakeAtMs ?? untilMs);
      return [];
    });
    const claims = new Map(this.#allRunning().map(({ victim, claim }) => [victim.uid, claim]));
    const entitlement: Entitlement = {
      give: (uid) => {
        if (this.#gone.has(uid)) return true;
        const claim = claims.get(uid);
        const isAllowed = claim !== undefined && (isLeaving(this.#turn.state.jobs.get(uid)) || mayDisplace(nominee, claim, this.#book));
        if (!isAllowed) return false;
        this.#book.give(claim);
        given.set(uid, claim);
        return true;
      },
      takeBack: (uid) => {
        const claim = given.get(uid);
        if (claim !== undefined) this.#book.take(claim);
        given.delete(uid);
      },
    };
    const request = requestOf(this.#cluster, job, model, this.#turn.context.nowMs);
    const plan = chooseVictims(this.#cluster.room, request, evictable, entitlement);
    const victims = plan === null ? null : coverDeficits(plan.victims, { deficits, evictable, claims, entitlement });
    this.#book.rollback(mark);
    return plan === null || victims === null ? null : { ...plan, victims };
  }

  /** Rules most jobs out without a search: nobody ranks below it, and no queue above it has a guarantee. */
  #mayDisplaceAnybody(job: Nominee): boolean {
    const model = modelsFor(this.#cluster.room, job, [])[0] ?? null;
    const nominee = claimOf(job, model);
    const isPlain =
      !this.#book.tree.isServing(job.spec.queue) && !this.#book.tree.chain(job.spec.queue).some((queue) => hasGuarantee(this.#turn, queue));
    return this.#allRunning().some(({ claim }) => claim.preemptible && (!isPlain || claim.priority < nominee.priority));
  }

  #allRunning(): readonly Running[] {
    if (this.#running !== null) return this.#running;
    const { state, context } = this.#turn;
    const holds = new Map<JobUid, Hold[]>();
    const { capacity } = this.#cluster.room;
    for (let node = 0; node < capacity.nodes; node += 1) {
      for (const hold of capacity.holdsOf(node)) {
        if (hold.owner === null) continue;
        const known = holds.get(hold.owner);
        if (known === undefined) holds.set(hold.owner, [hold]);
        else known.push(hold);
      }
    }
    const running = [...holds].flatMap(([uid, held]) => {
      const victim = state.jobs.get(uid);
      const attempt = victim === undefined ? undefined : currentAttempt(victim);
      if (victim === undefined || attempt === undefined) return [];
      const cost = leavingCost(victim, attempt, context.nowMs, context.policy.restartCostMs);
      const evictable: Evictable = { job: uid, holds: held, cost, priority: victim.spec.priority };
      return [{ victim, claim: claimOf(victim, attempt.model), evictable }];
    });
    this.#running = running.sort((left, right) => (left.victim.uid < right.victim.uid ? -1 : 1));
    return this.#running;
  }

  /** With these gone the nominee fits. */
  #comesTrue(job: JobView, leaving: readonly JobUid[], model: string | null): boolean {
    const { capacity } = this.#cluster.room;
    this.#backfill.showFor(job);
    const mark = capacity.mark();
    const gone = new Set<JobUid>(leaving);
    for (let node = 0; node < capacity.nodes; node += 1) {
      for (const hold of capacity.holdsOf(node)) if (hold.owner !== null && gone.has(hold.owner)) capacity.give(hold);
    }
    const isPossible = fits(this.#cluster.room, requestOf(this.#cluster, job, model, this.#turn.context.nowMs));
    capacity.rollback(mark);
    return isPossible;
  }

  #reserve(job: Nominee, placement: Placement, model: string | null): void {
    this.#backfill.keep(job, placement, model);
    this.#book.take(claimOf(job, model));
  }

  #waits(job: Nominee, victims: readonly JobUid[]): WaitReason {
    const { workers, gpusPerWorker } = job.spec;
    const names = victims.map((uid) => this.#turn.state.jobs.get(uid)?.name ?? uid).sort();
    return { kind: 'WaitingForVictims', wanted: { workers, gpusPerWorker }, victims: names };
  }
}

/** Also one that does not exist yet (`shoal apply --dry-run=server`). */
export type Nominee = Pick<JobView, 'uid' | 'user' | 'spec' | 'attempts'> & Wish;

/** Others could make room: on nodes, or under a limit. */
export const isShortage = (wait: WaitReason): boolean =>
  wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall' || wait.kind === 'QueueLimit';

/** A user's own limit is nobody else's to make room under. */
const isQuotaToFree = (broken: WaitReason | null): boolean => broken === null || broken.kind === 'QueueLimit';

interface Running {
  readonly victim: JobView;
  readonly claim: Claim;
  readonly evictable: Evictable;
}

function isLeaving(job: JobView | undefined): boolean {
  const stage = job === undefined ? undefined : currentAttempt(job)?.stage.kind;
  return stage === 'suspending' || stage === 'stopping';
}

/** Its own wish: not to be asked before it has run so long. */
const sparedUntilMs = (job: JobView): number => (currentAttempt(job)?.placedAtMs ?? 0) + job.spec.minRuntimeMs;

function claimOf(job: Pick<JobView, 'user' | 'spec'>, model: string | null): Claim {
  const { queue, priority, preemptible, workers, gpusPerWorker } = job.spec;
  return { queue, user: job.user, priority, preemptible, model, gpuMilli: workers * gpusPerWorker * milliPerGpu(job.spec) };
}

function hasGuarantee(turn: Turn, queue: JobView['spec']['queue']): boolean {
  return Object.values(turn.state.queues.get(queue)?.spec.guaranteed ?? {}).some((gpus) => gpus > 0);
}
