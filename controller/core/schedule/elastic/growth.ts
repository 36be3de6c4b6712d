import { sizeRange, specOfSize } from '#vocabulary/elastic.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { deviceModel } from '#vocabulary/gpuProfile.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { isGrowth } from '../../jobs/size.ts';
import { askToLeave, cancelLeaving } from '../../jobs/stop.ts';
import { wholeSecond } from '../../queues/attained.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import { type AwaitsSave, currentAttempt } from '../../state/state.ts';
import type { AttemptView, JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import { placeAt } from '../capacity/devices.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { keepPlace } from '../consolidate/keepPlace.ts';
import { swapWorkers } from '../gang/swapWorkers.ts';
import type { Spot } from '../gang/gangRequest.ts';
import { requestOf } from '../requestOf.ts';
import type { Backfill } from '../reserve/backfill.ts';
import { leavingCost } from '../victims/costs.ts';
import { holdsAt } from './workerHolds.ts';
import { YoungRoom } from './youngRoom.ts';

/**
 * Running elastic jobs grow into what is idle when a pass has looked at everybody who waits: nobody of them fits there, as
 * the pass has just found, and it is promised to none, but for the places that empty for a gang, nobody knows how long. A job saves, leaves, and starts again at once with all workers where
 * they stood and more beside them, as near as its levels and segments ask.
 *
 * What it is to have is kept from nobody: who comes meanwhile takes it, and then the job runs on as it was. And what it
 * has grown by is the first that it gives back (surplus.ts).
 *
 * Why sizes come to rest when nothing changes: a growth takes what is idle, nobody's size makes another one grow, and what
 * is idle ends. Why they do not swing when much changes: only what has been idle for a while is taken, by a job that has
 * stood for a while, in steps of some size, and when it pays.
 */
export class Growth {
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  readonly #backfill: Backfill;
  readonly #awaitsSave = new Set<JobUid>();
  #searches = 0;
  #asked = 0;
  #wakeAtMs: number | null = null;

  constructor(turn: Turn, cluster: ClusterRoom, backfill: Backfill) {
    this.#turn = turn;
    this.#cluster = cluster;
    this.#backfill = backfill;
  }

  /** When time alone may let somebody grow; null: it does not. */
  get wakeAtMs(): number | null {
    return this.#wakeAtMs === null ? null : wholeSecond(this.#wakeAtMs);
  }

  /** With those who would grow, had they just saved. */
  withAwaited(others: AwaitsSave): AwaitsSave {
    const awaited = this.#awaitsSave;
    if (awaited.size === 0) return others;
    return { dueAtMs: (job, nowMs) => (awaited.has(job.uid) ? nowMs : others.dueAtMs(job, nowMs)) };
  }

  /** Another pass is due at once: somebody was not looked at. */
  get more(): boolean {
    return this.#asked > 0 && this.#searches >= this.#turn.context.policy.growSearchesPerPassMax;
  }

  /** At the end of a pass. */
  run(): void {
    const { state, context } = this.#turn;
    if (state.resizable.size === 0 || context.policy.growPaybackMs === 0) return;
    this.#backfill.showForLater();
    const { capacity } = this.#cluster.room;
    const mark = capacity.mark();
    // A place that empties for a gang is of no use to it before the last one has left; surplus is given back as fast as that one leaves.
    for (const hold of this.#backfill.promises.heldOfTargets()) capacity.give(hold);
    this.#keepThoseUnderWay();
    const growers = this.#growers();
    if (growers.length > 0) this.#lookAt(growers, new YoungRoom(this.#turn, capacity));
    capacity.rollback(mark);
  }

  #lookAt(growers: readonly Grower[], young: YoungRoom): void {
    const { nowMs, policy } = this.#turn.context;
    young.close();
    for (const grower of growers) {
      const { job, attempt } = grower;
      if (this.#searches >= policy.growSearchesPerPassMax) return;
      const restsUntilMs = isLoading(job, attempt)
        ? nowMs + policy.restartCostMs
        : attempt.placedAtMs + Math.max(policy.growRestMs, job.spec.minRuntimeMs);
      if (restsUntilMs > nowMs) {
        this.#wake(restsUntilMs);
        continue;
      }
      if (!this.#pays(grower, grower.most)) continue;
      // Without what others took in this pass, and what was left just now.
      const placement = this.#growersOf(job, attempt).map((old) => this.#search(old))[0] ?? null;
      const isKept = placement !== null && keepPlace(this.#cluster, job, { placement, model: attempt.model }) !== null;
      if (isKept) this.#ask(grower, placement);
      else if (young.ripensAtMs !== null) this.#wake(young.ripensAtMs);
    }
  }

  /** Whose place was taken by others runs on. */
  #keepThoseUnderWay(): void {
    for (const uid of [...this.#turn.state.moving].sort()) {
      const job = this.#turn.state.jobs.get(uid);
      if (job?.move?.kind !== 'asked' || !isGrowth(job) || currentAttempt(job) === undefined) continue;
      if (keepPlace(this.#cluster, job, job.move) === null) cancelLeaving(this.#turn, job);
    }
  }

  /** Those furthest below what they asked for first. */
  #growers(): readonly Grower[] {
    const { state } = this.#turn;
    const growers = [...state.resizable].flatMap((uid): readonly Grower[] => {
      const job = state.jobs.get(uid);
      const attempt = job === undefined ? undefined : currentAttempt(job);
      const isThere = attempt?.stage.kind === 'running' || attempt?.stage.kind === 'starting';
      return job === undefined || !isThere || !mayGrow(job) ? [] : this.#growersOf(job, attempt);
    });
    const part = ({ job, has }: Grower): number => has / job.spec.workers;
    return growers.sort((left, right) => part(left) - part(right) || (left.job.uid < right.job.uid ? -1 : 1));
  }

  /** One, or none: there is not enough to grow into. */
  #growersOf(job: JobView, attempt: AttemptView): readonly Grower[] {
    const { max, step } = sizeRange(job.spec);
    const has = attempt.placement.length;
    const least = Math.max(1, Math.ceil((has * this.#turn.context.policy.growPercentMin) / 100 / step)) * step;
    const most = Math.floor(Math.min(max - has, this.#roomFor(job, attempt.model)) / step) * step;
    return most < least ? [] : [{ job, attempt, has, least, most, step }];
  }

  /** Workers for which there are GPUs in all. */
  #roomFor({ spec }: JobView, model: string | null): number {
    if (model === null || spec.gpuShareMilli !== null) return Infinity;
    return Math.floor(this.#cluster.room.freeGpus(deviceModel(model, spec.gpuProfile)) / spec.gpusPerWorker);
  }

  /** The largest size for which there is room, and quota, and that pays; null: there is none. */
  #search(grower: Grower): Placement | null {
    this.#searches += 1;
    const { least, most, step } = grower;
    let best = this.#placeWith(grower, most);
    if (best !== null || most === least) return best;
    best = this.#placeWith(grower, least);
    let [fits, tooLarge] = [0, (most - least) / step];
    while (best !== null && tooLarge - fits > 1) {
      const middle = (fits + tooLarge) >>> 1;
      const placement = this.#placeWith(grower, least + middle * step);
      if (placement !== null) [fits, best] = [middle, placement];
      else tooLarge = middle;
    }
    return best;
  }

  #placeWith({ job, attempt, has }: Grower, more: number): Placement | null {
    const { capacity } = this.#cluster.room;
    const spec = specOfSize(job.spec, has + more);
    const gpuMilli = has * spec.gpusPerWorker * milliPerGpu(spec);
    const usage = { queues: this.#turn.state.queues, usage: this.#backfill.quota };
    if (!this.#pays({ job, attempt, has }, more) || findBrokenLimit(usage, { ...job, spec }, attempt.model, { gpuMilli }) !== null)
      return null;
    const request = requestOf(this.#cluster, { ...job, spec }, attempt.model, this.#turn.context.nowMs);
    const mark = capacity.mark();
    const own = this.#giveOwn(job.uid, attempt);
    const old = own?.map((spot) => ({ spot, isSound: true }));
    const swap = old === undefined ? null : swapWorkers(this.#cluster.room, request, [...old, ...Array.from({ length: more }, () => null)]);
    capacity.rollback(mark);
    return swap === null || swap.moved > 0 ? null : swap.spots.map((spot) => placeAt(capacity, spot));
  }

  /** Its own places, free in the trial. null: one of them takes no work any more. */
  #giveOwn(uid: JobUid, { placement }: AttemptView): readonly Spot[] | null {
    const { capacity } = this.#cluster.room;
    const held = holdsAt(capacity, uid, placement).flatMap((hold) => hold ?? []);
    for (const hold of held) capacity.give(hold);
    const isWhole = held.length === placement.length && held.every(({ node }) => capacity.isOpen(node));
    return isWhole ? held.map(({ node, gpus }) => ({ node, gpus })) : null;
  }

  /** What the new workers do in some time against what the restart of all costs. */
  #pays({ job, attempt, has }: Pick<Grower, 'job' | 'attempt' | 'has'>, more: number): boolean {
    const { nowMs, policy } = this.#turn.context;
    const gpus = Math.max(1, job.spec.gpusPerWorker);
    const gained = more * gpus * gpuMilliPerGpu * (policy.growPaybackMs - policy.restartCostMs);
    const lost = Math.max(leavingCost(job, attempt, nowMs, policy.restartCostMs), has * gpus * gpuMilliPerGpu * policy.restartCostMs);
    if (gained > lost) return true;
    if (gained > has * gpus * gpuMilliPerGpu * policy.restartCostMs) this.#awaitsSave.add(job.uid);
    return false;
  }

  #ask({ job, attempt }: Grower, placement: Placement): void {
    const { nowMs, policy } = this.#turn.context;
    const gpuMilli = Math.max(1, attempt.placement.length * job.spec.gpusPerWorker) * gpuMilliPerGpu;
    const costMs = Math.round(leavingCost(job, attempt, nowMs, policy.restartCostMs) / gpuMilli);
    this.#asked += 1;
    this.#turn.emit({ kind: 'GrowthChosen', uid: job.uid, placement, model: attempt.model, costMs });
    askToLeave(this.#turn, job, 'Resized');
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = Math.min(atMs, this.#wakeAtMs ?? atMs);
  }
}

interface Grower {
  readonly job: JobView;
  readonly attempt: AttemptView;
  readonly has: number;
  /** Workers that it takes more, at least and at most. */
  readonly least: number;
  readonly most: number;
  readonly step: number;
}

/** A gang whose workers are spread would have to be placed anew as a whole; and slots are not looked for beside others. */
const mayGrow = ({ spec }: JobView): boolean => spec.spread === null && spec.gpuProfile === null;

/** It has not started yet, or its program, which speaks to its agents, has said nothing since: it could not agree on a step to stop at. */
const isLoading = ({ progress }: JobView, { number, startedAtMs }: AttemptView): boolean =>
  startedAtMs === null || (progress !== null && progress.attempt !== number);
