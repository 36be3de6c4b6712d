import type { JobUid, QueueName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { lowestDisplaceable } from '../jobs/displaceable.ts';
import type { MovedTo } from '../events.ts';
import { askToLeave, leaveForGood, letStay } from '../jobs/stop.ts';
import type { Claim } from '../queues/entitlement.ts';
import { EntitlementBook, mayDisplace } from '../queues/entitlement.ts';
import { attainedNow, wholeSecond } from '../queues/attained.ts';
import type { Standing } from '../queues/standing.ts';
import { overdueLevel, Standings } from '../queues/standing.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import { type AwaitsSave, currentAttempt, type Nomination } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import type { Hold } from './capacity/capacity.ts';
import { placeAt } from './capacity/devices.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { modelsFor } from './decidePlacement.ts';
import { keptBy } from './elastic/surplus.ts';
import { SurplusPool } from './elastic/surplusPool.ts';
import type { Wisher } from './requestOf.ts';
import { requestOf, wishesKey } from './requestOf.ts';
import { sparesFor } from './spares/borrow.ts';
import { placesToKeep } from './swap.ts';
import type { Backfill } from './reserve/backfill.ts';
import type { Leaving } from './reserve/leaving.ts';
import { SecondLook } from './secondLook.ts';
import { fits } from './gang/findPlacement.ts';
import type { Running } from './victims/running.ts';
import { Claimed, giveLeft } from './victims/claimed.ts';
import { claimOf, isLeaving, isResizing, leavesForGood, readRunning, readSaved } from './victims/running.ts';
import type { VictimPlan } from './victims/chooseVictims.ts';
import { inTurn } from './victims/inTurn.ts';
import { guestPriority } from './victims/evictable.ts';
import { countsFor, findDeficits, hasGuarantee } from './victims/quota.ts';
import type { Candidate } from './victims/searchVictims.ts';
import { searchVictims } from './victims/searchVictims.ts';
import { awaitsSaveOf } from './victims/awaitsSave.ts';
import type { WaitingLines } from './waiting/waitingLines.ts';
import { Slices } from './victims/slices.ts';

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
  readonly #claimed: Claimed;
  /** Free parts of the places of nominees whose turn has not come. */
  readonly #kept = new Map<JobUid, readonly Hold[]>();
  #searches = 0;
  readonly #secondLook = new SecondLook();
  readonly surplus: SurplusPool;
  /** Searches of this pass that found nobody: for the like of them the answer is the same. */
  readonly #inVain = new Set<string>();
  #wakeAtMs: number | null = null;
  #running: readonly Running[] | null = null;
  #slices: Slices | null = null;
  readonly standings: Standings;

  readonly #lines: WaitingLines;

  constructor(turn: Turn, cluster: ClusterRoom, { backfill, lines }: { readonly backfill: Backfill; readonly lines: WaitingLines }) {
    this.#turn = turn;
    this.#backfill = backfill;
    this.#lines = lines;
    this.standings = new Standings(turn, lines);
    this.#cluster = cluster;
    this.#book = new EntitlementBook(turn.state);
    this.#claimed = new Claimed(turn.state, this.#book);
    this.surplus = new SurplusPool(turn, {
      capacity: cluster.room.capacity,
      standings: this.standings,
      book: this.#book,
      claimed: this.#claimed,
      promises: backfill.promises,
    });
  }

  /** When time alone lets somebody be asked who was not, or somebody be overdue; null: it does not. */
  get wakeAtMs(): number | null {
    // Levels and waits of very many jobs end at as many times: one pass a second is enough for them.
    const soon = [this.standings.nextOverdueAtMs(), this.#slices?.wakeAtMs ?? null].flatMap((atMs) =>
      atMs === null ? [] : [wholeSecond(atMs)],
    );
    const soonest = Math.min(this.#wakeAtMs ?? Infinity, this.surplus.wakeAtMs ?? Infinity, ...soon);
    return soonest === Infinity ? null : soonest;
  }

  /** Another pass is due at once. */
  get more(): boolean {
    return this.#secondLook.isDue;
  }

  /** To be told when a job is placed. */
  noteStart(): void {
    this.#secondLook.placed({ isUnseen: this.#running !== null });
  }

  get awaitsSave(): AwaitsSave {
    return awaitsSaveOf(this.#turn.context.policy, this.#slices?.missedBy ?? new Map());
  }

  /**
   * Waiting jobs that were promised a place, the oldest promise first. What is free of each place is held until it is the
   * nominee's turn (`lift`): else an older nominee would take the room that was made for a younger one, and be thrown out for it.
   */
  nominees(): readonly JobView[] {
    const { state } = this.#turn;
    const nominees = [...this.#lines.nominated].flatMap((uid) => state.jobs.get(uid) ?? []);
    nominees.sort((left, right) => (left.nomination?.atMs ?? 0) - (right.nomination?.atMs ?? 0) || (left.uid < right.uid ? -1 : 1));
    for (const job of nominees) {
      if (job.nomination === null) continue;
      for (const uid of job.nomination.victims) this.#claimed.add(uid);
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
    const isClosed = this.#cluster.closed.closes(job, nomination.placement, 'claim');
    if (isClosed || leaving.length === 0 || !this.#comesTrue(job, leaving, nomination.model)) {
      this.#turn.emit({ kind: 'NominationDropped', uid: job.uid, message: 'the place that it was promised is not to be had any more' });
      this.release(nomination.victims);
      return null;
    }
    this.#reserve(job, nomination, leaving);
    return this.#waits(job, leaving);
  }

  /** Victims that are no longer needed run on if they can. */
  release(victims: readonly JobUid[]): void {
    for (const uid of victims) {
      const victim = this.#turn.state.jobs.get(uid);
      if (victim !== undefined) letStay(this.#turn, victim);
      this.#claimed.release(uid);
    }
  }

  /** Finds victims for a job that does not fit, and asks them; null: nobody may be asked, or it would not help. */
  nominate(job: Nominee): WaitReason | null {
    const nominee = this.nomineeOf(job, null);
    const mayAsk = this.#mayDisplaceAnybody(job, nominee);
    const wait = mayAsk || this.surplus.mayHelp(nominee.gpuMilli, () => this.#freeMilli()) ? this.#findVictims(job, nominee, mayAsk) : null;
    if (wait !== null) this.#secondLook.nominated();
    else {
      this.surplus.refused();
      this.#secondLook.refused({ mayAsk, mayReclaim: this.surplus.isDenied || !this.#isPlain(job.spec.queue) });
      // Time changes something only where somebody of its priority may be asked.
      if (this.#turn.state.displaceable.has(nominee.priority)) this.#allSlices().missed(nominee);
    }
    return wait;
  }

  #findVictims(job: Nominee, { standing, ...nominee }: Claim, mayAsk: boolean): WaitReason | null {
    const { policy, nowMs } = this.#turn.context;
    if (this.#searches >= policy.victimSearchesPerPassMax) return null;
    const { count, own } = this.#allSlices().chances({ standing, ...nominee });
    // Whose job it is says something only where it has jobs of that user before it, and where others may be reclaimed from.
    const user = own > 0 || !this.#isPlain(nominee.queue) ? job.user : '';
    const key = JSON.stringify([nominee.queue, user, nominee.priority, standing.level, count, wishesKey(this.#cluster, job, nowMs)]);
    if (this.#inVain.has(key)) return null;
    let isOwnLimit = false;
    for (const model of modelsFor(this.#cluster.room, job, [])) {
      if (model === null || !isQuotaToFree(findBrokenLimit(this.#turn.state, job, model))) {
        isOwnLimit = true;
        continue;
      }
      this.#searches += 1;
      this.#backfill.showForLater();
      const plan = this.#search(job, model, mayAsk);
      // Nobody is to be asked: it starts when those have left who leave anyway, in its turn.
      if (plan === null || plan.leaving.every((each) => each.group === undefined && leavesForGood(this.#turn.state.jobs.get(each.job))))
        continue;
      const placement = (plan.spots[0] ?? []).map((spot) => placeAt(this.#cluster.room.capacity, spot));
      const moves = this.surplus.shrinks(plan.leaving);
      this.#turn.emit({
        kind: 'JobNominated',
        uid: job.uid,
        victims: plan.victims,
        placement,
        model,
        ...(moves.length === 0 ? {} : { moves }),
      });
      this.#ask(job, standing, plan.victims, moves);
      this.#reserve(job, { placement, model }, plan.victims);
      return this.#waits(job, plan.victims);
    }
    if (!isOwnLimit) this.#inVain.add(key);
    return null;
  }

  #ask(job: Nominee, standing: Standing, victims: readonly JobUid[], shrinks: readonly MovedTo[]): void {
    for (const uid of victims) {
      const victim = this.#turn.state.jobs.get(uid);
      if (shrinks.some((move) => move.uid === uid)) this.surplus.ask(uid);
      else if (victim !== undefined) {
        const message = this.#tellTurn(job, standing, victim);
        const dropped = `job ${this.#nameOf(job.uid)} takes its place`;
        if (isResizing(victim)) leaveForGood(this.#turn, victim, 'Preempted', { dropped, message });
        else askToLeave(this.#turn, victim, 'Preempted', message);
        this.#claimed.add(uid);
      }
    }
  }

  /** Empty: not a matter of who has had more. */
  #tellTurn({ uid, user, spec }: Nominee, { level }: Standing, victim: JobView): string {
    if (spec.queue !== victim.spec.queue || spec.priority !== victim.spec.priority) return '';
    const gpuHours = attainedNow(victim, this.#turn.context.nowMs) / gpuMilliPerGpu / 3_600_000;
    const name = this.#turn.state.jobs.get(uid)?.name ?? uid;
    return `had its turn: ${gpuHours.toFixed(1)} GPU-hours; job ${name} of user ${user} ${level === overdueLevel ? 'is overdue' : 'had less'}`;
  }

  /** What elastic jobs can be asked to give back to the job, and from when on. */
  leavingFor(job: Nominee): () => readonly Leaving[] {
    return () => this.surplus.leaving(this.nomineeOf(job, null));
  }

  /** All that hold GPUs, by uid. */
  running(): readonly Running[] {
    return this.#allRunning();
  }

  /** Leaves, or left, for somebody who has not started yet. */
  isClaimed(uid: JobUid): boolean {
    return this.#claimed.has(uid);
  }

  /** Keeps what is free of the place of somebody who was nominated by others (consolidate/). */
  promise(
    job: Nominee,
    plan: { readonly victims: readonly JobUid[]; readonly placement: Placement; readonly model: string | null },
  ): WaitReason {
    for (const uid of plan.victims) this.#claimed.addMoving(uid);
    this.#reserve(job, plan, plan.victims);
    return this.#waits(job, plan.victims);
  }

  #search(job: Nominee, model: string, mayAsk: boolean): VictimPlan | null {
    const nominee = this.nomineeOf(job, model);
    const deficits = findDeficits(this.#turn.state.queues, this.#book, nominee);
    const isOfUse = (claim: Claim): boolean => countsFor(this.#book, claim, deficits);
    const request = requestOf(this.#cluster, job, model, this.#turn.context.nowMs);
    return searchVictims({
      room: this.#cluster.room,
      request,
      nominee,
      book: this.#book,
      deficits,
      gangs: this.#gangs(job, nominee, mayAsk).filter(({ claim }) => isOfUse(claim)),
      surplus: this.surplus.for(nominee).filter(({ claim }) => isOfUse(claim)),
    });
  }

  /** Those that leave anyway, and whole gangs that may be asked now, if any may. */
  #gangs(job: Nominee, nominee: Claim, mayAsk: boolean): readonly Candidate[] {
    return this.#allRunning().flatMap(({ victim, claim, evictable: each }): readonly Candidate[] => {
      if (this.#claimed.has(victim.uid) || claim.model !== nominee.model) return [];
      // Somebody ahead in the order was promised its place.
      if (this.#backfill.promises.touches(each.holds)) return this.#secondLook.passOver();
      // Who leaves anyway costs nothing and need not be asked.
      if (leavesForGood(victim)) return [{ evictable: { ...each, cost: 0 }, claim }];
      // Who is a guest on what is reserved for it goes before all others, whatever the ranks are.
      if (this.#cluster.closed.isGuestOf(victim, job)) return [{ evictable: { ...each, priority: guestPriority }, claim, isFree: true }];
      const untilMs = mayAsk ? this.#sparedUntilMs(nominee, { victim, claim }) : null;
      if (untilMs === null) return [];
      if (untilMs <= this.#turn.context.nowMs) return [{ evictable: inTurn(nominee, claim, each), claim }];
      this.#wakeAtMs = Math.min(untilMs, this.#wakeAtMs ?? untilMs);
      return [];
    });
  }

  /** null: it may not be asked at all. */
  #sparedUntilMs(nominee: Claim, { victim, claim }: Pick<Running, 'victim' | 'claim'>): number | null {
    const attempt = currentAttempt(victim);
    if (attempt === undefined) return null;
    // Its own wish: not to be asked before it has run so long.
    const shortestMs = attempt.placedAtMs + victim.spec.minRuntimeMs;
    if (mayDisplace(nominee, claim, this.#book)) return shortestMs;
    const safeUntilMs = this.standings.safeUntilMs(victim, attempt);
    const isSafeOnly =
      safeUntilMs !== null && mayDisplace(nominee, { ...claim, standing: { ...claim.standing, isSafe: false } }, this.#book);
    return isSafeOnly ? Math.max(shortestMs, safeUntilMs) : null;
  }

  /** Rules most jobs out without a search: nobody ranks below it, and no queue above it has a guarantee. */
  #mayDisplaceAnybody(job: Nominee, nominee: Claim): boolean {
    if (this.#cluster.closed.mayHaveGuests(job)) return true;
    const lowest = lowestDisplaceable(this.#turn.state);
    if (lowest === null || lowest > nominee.priority) return lowest !== null && !this.#isPlain(job.spec.queue);
    if (lowest < nominee.priority || !this.#isPlain(job.spec.queue)) return true;
    const { count, gpuMilli } = this.#allSlices().chances(nominee);
    return count > 0 && gpuMilli + this.#freeMilli() >= nominee.gpuMilli;
  }

  #isPlain(queue: QueueName): boolean {
    return !this.#book.tree.isServing(queue) && !this.#book.tree.chain(queue).some((one) => hasGuarantee(this.#turn.state, one));
  }

  /** Of any model. */
  #freeMilli(): number {
    const { room } = this.#cluster;
    return room.capacity.models.reduce((sum, model) => sum + room.freeGpus(model), 0) * gpuMilliPerGpu;
  }

  /** What it wants, as others are asked for it. */
  nomineeOf(job: Nominee, model: string | null): Claim {
    return { ...claimOf(job, model), standing: this.standings.waiting(job) };
  }

  #allSlices(): Slices {
    this.#slices ??= new Slices(this.standings.isSlicing ? readSaved(this.#turn, this.standings) : [], this.standings);
    return this.#slices;
  }

  #allRunning(): readonly Running[] {
    this.#running ??= readRunning(this.#turn, this.#cluster.room.capacity, this.standings);
    return this.#running;
  }

  /** With these gone the nominee fits. */
  #comesTrue(job: JobView, leaving: readonly JobUid[], model: string | null): boolean {
    const { capacity } = this.#cluster.room;
    this.#backfill.showForLater();
    const mark = capacity.mark();
    giveLeft(capacity, this.#turn.state, leaving);
    // Who broke may use spares.
    const spares = placesToKeep(job).length === 0 ? [] : sparesFor(this.#turn.state, this.#cluster.room, job.uid);
    const request = requestOf(this.#cluster, job, model, this.#turn.context.nowMs);
    const isPossible = capacity.withOpen(spares, () => fits(this.#cluster.room, request));
    capacity.rollback(mark);
    return isPossible;
  }

  /** Place and quota are the nominee's from now on: whoever is behind it must not take what its victims give back. */
  #reserve(job: Nominee, { placement, model }: Pick<Nomination, 'placement' | 'model'>, leaving: readonly JobUid[]): void {
    const nominee = this.nomineeOf(job, model);
    this.#backfill.keep(job, placement, model);
    this.#backfill.quota.keep(
      nominee,
      leaving.flatMap((uid) => this.#claimed.givenBackBy(uid)),
    );
    this.#book.take(nominee);
  }

  #waits(job: Nominee, victims: readonly JobUid[]): WaitReason {
    const { workers, gpusPerWorker } = job.spec;
    const names = victims.map((uid) => this.#nameOf(uid)).sort();
    const shrinking = victims
      .filter((uid) => keptBy(this.#turn.state.jobs.get(uid)) !== null)
      .map((uid) => this.#nameOf(uid))
      .sort();
    return {
      kind: 'WaitingForVictims',
      wanted: { workers, gpusPerWorker },
      victims: names,
      ...(shrinking.length === 0 ? {} : { shrinking }),
    };
  }

  #nameOf(uid: JobUid): string {
    return this.#turn.state.jobs.get(uid)?.name ?? uid;
  }
}

/** Also one that does not exist yet (`shoal apply --dry-run=server`). */
export type Nominee = Pick<JobView, 'uid'> & Wisher;

/** Others could make room: on nodes, or under a limit. */
export const isShortage = (wait: WaitReason): boolean =>
  wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall' || wait.kind === 'QueueLimit' || wait.kind === 'Reservation';

/** A user's own limit is nobody else's to make room under. */
const isQuotaToFree = (broken: WaitReason | null): boolean => broken === null || broken.kind === 'QueueLimit';
