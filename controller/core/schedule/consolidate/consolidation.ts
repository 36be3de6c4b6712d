import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { MovedTo } from '../../events.ts';
import { askToLeave } from '../../jobs/stop.ts';
import { milliOf, sizeOf } from '../../jobs/size.ts';
import { QueueTree } from '../../queues/queueTree.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { modelsFor } from '../decidePlacement.ts';
import { fits } from '../gang/findPlacement.ts';
import type { Surplus } from '../elastic/surplus.ts';
import type { Preemption } from '../preempt.ts';
import { requestOf, wishesKey } from '../requestOf.ts';
import type { Promises } from '../reserve/promises.ts';
import { rankPlans } from '../victims/chooseVictims.ts';
import { leavesForGood } from '../victims/running.ts';
import type { Evictable, VictimPlan } from '../victims/chooseVictims.ts';
import type { KeptPlaces } from './keptPlaces.ts';
import { mayBeMoved, movableFromMs, paysAtMs, restsUntilMs, waitedMsOf } from './movable.ts';
import type { Mover } from './relocate.ts';
import { relocate, requestToMove } from './relocate.ts';

/**
 * Holes for gangs where there is room enough, but scattered: small preemptible jobs are asked to move, and each has a
 * place that is kept for it from then on. Nobody loses a place, so no right is needed; only the work since the last
 * checkpoint and a restart are lost, and moves are made when that is less than what the gang has lost by waiting.
 *
 * The victims' search finds who would have to leave, by cost alone; a plan counts only if all of them fit elsewhere at
 * once. Then it is a nomination like any other: the movers leave by the suspend protocol, and what is free of the hole
 * is kept for the gang.
 *
 * Why it cannot go on for ever: each plan ends with one more gang running and nobody less, and a moved job neither
 * moves nor is moved for a while. Bounded: a few searches a pass, so a gang may wait though a plan exists.
 */
export class Consolidation {
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  readonly #preemption: Preemption;
  readonly #kept: KeptPlaces;
  readonly #promises: Promises;
  /** What searches of this pass found; null: nothing. For the like of them the answer is the same. */
  readonly #found = new Map<string, { readonly cost: number } | null>();
  /** Whether single workers would find a place elsewhere, as of their first look: by job, and by what they wish for. */
  readonly #movable = new Map<JobUid, boolean>();
  readonly #haveRoom = new Map<string, boolean>();
  #tree: QueueTree | null = null;
  #searches = 0;
  #promised = 0;
  #wakeAtMs: number | null = null;

  constructor(
    turn: Turn,
    cluster: ClusterRoom,
    parts: { readonly preemption: Preemption; readonly kept: KeptPlaces; readonly promises: Promises },
  ) {
    this.#turn = turn;
    this.#cluster = cluster;
    this.#preemption = parts.preemption;
    this.#kept = parts.kept;
    this.#promises = parts.promises;
  }

  /** When time alone may let a gang have its moves; null: it does not. */
  get wakeAtMs(): number | null {
    return this.#wakeAtMs;
  }

  /** When the next pass may search. */
  get nextSearchMs(): number {
    const { state, context } = this.#turn;
    if (this.#searches === 0) return state.movesFromMs;
    if (this.#promised > 0) return context.nowMs;
    return Math.min(context.nowMs + context.policy.moveSearchPauseMs, this.#wakeAtMs ?? Number.POSITIVE_INFINITY);
  }

  /** The limit of searches was reached, and some had been for gangs that need none in the next pass. */
  get more(): boolean {
    return this.#promised > 0 && this.#searches >= this.#turn.context.policy.moveSearchesPerPassMax;
  }

  /** Has others moved for a gang that does not fit; null: it would not help, or not be worth it. */
  nominate(gang: JobView): WaitReason | null {
    const { gpuShareMilli, gpuProfile, workers, gpusPerWorker } = gang.spec;
    const isOfWholeGpus = gpuShareMilli === null && gpuProfile === null;
    if (this.#turn.context.policy.moveBudgetMs === 0 || !isOfWholeGpus || workers * gpusPerWorker < 2) return null;
    // Whatever is promised to others is no room, for the gang and for those who would move: nobody knows when they end.
    this.#promises.show(this.#promises.all.length);
    for (const model of modelsFor(this.#cluster.room, gang, [])) {
      if (model === null || findBrokenLimit(this.#turn.state, gang, model) !== null) continue;
      const freeMilli = this.#cluster.room.freeGpus(model) * gpuMilliPerGpu;
      const isEnough = freeMilli >= milliOf(gang) || this.#preemption.surplus.mayHelp(milliOf(gang), () => freeMilli);
      if (!isEnough || !this.#isTime(gang)) continue;
      const key = JSON.stringify([gang.spec.queue, gang.spec.priority, model, wishesKey(this.#cluster, gang, this.#turn.context.nowMs)]);
      const known = this.#found.get(key);
      if (known === null || (known !== undefined && !this.#pays(gang, known.cost))) continue;
      const plan = this.#search(gang, model);
      this.#found.set(key, plan);
      if (plan !== null && this.#pays(gang, plan.cost)) return this.#promise(gang, plan);
    }
    return null;
  }

  /** Rules most searches out: it has not waited for long enough, was moved itself lately, or somebody has just looked. */
  #isTime(gang: JobView): boolean {
    const { state, context } = this.#turn;
    const { nowMs, policy } = context;
    // The least that a plan costs is the restart of one GPU.
    const leastMs = Math.ceil((Math.min(policy.restartCostMs, policy.moveBudgetMs) * gpuMilliPerGpu) / milliOf(gang));
    const fromMs = Math.max(nowMs - waitedMsOf(gang, nowMs) + leastMs, restsUntilMs(gang), state.movesFromMs);
    if (fromMs > nowMs) this.#wake(fromMs);
    return fromMs <= nowMs;
  }

  #pays(gang: JobView, cost: number): boolean {
    const dueMs = paysAtMs(gang, cost, this.#turn.context);
    if (dueMs > this.#turn.context.nowMs) this.#wake(dueMs);
    return dueMs <= this.#turn.context.nowMs;
  }

  #search(gang: JobView, model: string): Plan | null {
    const { nowMs, policy } = this.#turn.context;
    // To look who may be moved at all is a walk over all who run, and counts.
    if (this.#searches >= policy.moveSearchesPerPassMax) return null;
    this.#searches += 1;
    const request = requestOf(this.#cluster, gang, model, nowMs);
    // What elastic jobs give back makes holes too.
    const surplus = this.#surplusFor(gang, model);
    const entitlement = this.#preemption.surplus.entitlement(this.#preemption.nomineeOf(gang, model), surplus);
    let candidates = this.#candidates(gang, model, surplus);
    for (let tries = 0; tries < triesPerGang; tries += 1) {
      if (!candidates.some(({ mover, evictable }) => mover !== null || evictable.group !== undefined)) return null;
      if (tries > 0 && this.#searches >= policy.moveSearchesPerPassMax) return null;
      if (tries > 0) this.#searches += 1;
      const refused = new Set<JobUid>();
      const evictable = candidates.map((candidate) => candidate.evictable);
      for (const found of rankPlans(this.#cluster.room, request, evictable, entitlement)) {
        const leaving = new Set(found.leaving);
        const movers = candidates.flatMap(({ mover, evictable: each }) => (mover !== null && leaving.has(each) ? [mover] : []));
        const shrinks = this.#preemption.surplus.shrinks(found.leaving);
        // It fits when those have left who leave anyway.
        if (movers.length === 0 && shrinks.length === 0) return null;
        if (movers.length > policy.movesPerPlanMax) continue;
        const relocation = relocate(this.#cluster, movers, { spots: found.spots[0] ?? [], request, model, nowMs });
        if (relocation.ok) return this.#planOf(found, { model, movers, places: relocation.places, shrinks });
        refused.add(relocation.failed);
      }
      if (refused.size === 0) return null;
      candidates = candidates.filter(({ evictable: { job } }) => !refused.has(job));
    }
    return null;
  }

  #planOf(found: VictimPlan, moves: Pick<Plan, 'model' | 'movers' | 'places' | 'shrinks'>): Plan {
    const { capacity } = this.#cluster.room;
    const placement = (found.spots[0] ?? []).map((spot) => ({ node: capacity.nameOf(spot.node), gpus: spot.gpus }));
    return { ...moves, victims: found.victims, placement, cost: found.cost };
  }

  #surplusFor(gang: JobView, model: string): readonly Surplus[] {
    const costMax = this.#turn.context.policy.moveBudgetMs * milliOf(gang);
    const nominee = this.#preemption.nomineeOf(gang, model);
    return this.#preemption.surplus.for(nominee).filter(({ groups }) => (groups[0]?.cost ?? 0) <= costMax);
  }

  /** Who may be moved now, or give back a part, and who leaves anyway: that costs nothing. */
  #candidates(gang: JobView, model: string, surplus: readonly Surplus[]): readonly Candidate[] {
    const { nowMs, policy } = this.#turn.context;
    const costMax = policy.moveBudgetMs * milliOf(gang);
    const tree = (this.#tree ??= new QueueTree(this.#turn.state.queues));
    // Who gives back a part is not moved as well.
    const giving = new Set(surplus.map(({ job }) => job.uid));
    const groups = surplus.flatMap((of) => of.groups.map((group) => ({ mover: null, evictable: { ...group, priority: 0 } })));
    const gangs = this.#preemption.running().flatMap(({ victim: job, claim, evictable }): readonly Candidate[] => {
      // Where somebody ahead is promised to be, nobody else makes room for himself.
      if (claim.model !== model || this.#preemption.isClaimed(job.uid) || this.#promises.touches(evictable.holds)) return [];
      if (giving.has(job.uid)) return [];
      if (leavesForGood(job)) return [{ mover: null, evictable: { ...evictable, cost: 0 } }];
      if (evictable.cost > costMax || job.move?.kind === 'asked' || !mayBeMoved(gang, job, tree)) return [];
      if (!this.#fitsElsewhere(job)) return [];
      const fromMs = movableFromMs(job);
      if (fromMs > nowMs) {
        this.#wake(fromMs);
        return [];
      }
      const costMs = Math.round(evictable.cost / milliOf(job));
      // All priorities alike: nobody loses anything that ranks.
      return [{ mover: { job, holds: evictable.holds, costMs }, evictable: { ...evictable, priority: 0 } }];
    });
    return [...groups, ...gangs];
  }

  /** A first look at a job of one worker, which has to find another place in today's room: most that cannot move are known by it. */
  #fitsElsewhere(job: JobView): boolean {
    if (sizeOf(job) > 1) return true;
    const known = this.#movable.get(job.uid);
    if (known !== undefined) return known;
    const { nowMs } = this.#turn.context;
    const key = wishesKey(this.#cluster, job, nowMs);
    const answer = this.#haveRoom.get(key) ?? fits(this.#cluster.room, requestToMove(this.#cluster, job, nowMs));
    this.#haveRoom.set(key, answer);
    this.#movable.set(job.uid, answer);
    return answer;
  }

  #promise(gang: JobView, plan: Plan): WaitReason {
    const { victims, placement, model, shrinks } = plan;
    const moves = plan.movers.map(({ job, costMs }) => ({ uid: job.uid, placement: plan.places.get(job.uid) ?? [], costMs }));
    this.#promised += 1;
    this.#turn.emit({ kind: 'JobNominated', uid: gang.uid, victims, placement, model, moves: [...moves, ...shrinks] });
    for (const { uid } of shrinks) this.#preemption.surplus.ask(uid);
    for (const { job } of plan.movers) {
      askToLeave(this.#turn, job, 'Moved');
      this.#kept.keep(job);
    }
    return this.#preemption.promise(gang, plan);
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = Math.min(atMs, this.#wakeAtMs ?? atMs);
  }
}

/** A search without those who found no place may find others who do. */
const triesPerGang = 3;

interface Candidate {
  /** null: it leaves anyway. */
  readonly mover: Mover | null;
  readonly evictable: Evictable;
}

interface Plan {
  readonly victims: readonly JobUid[];
  readonly placement: Placement;
  readonly model: string;
  readonly movers: readonly Mover[];
  readonly places: ReadonlyMap<JobUid, Placement>;
  readonly shrinks: readonly MovedTo[];
  /** Milli-GPU-milliseconds. */
  readonly cost: number;
}
