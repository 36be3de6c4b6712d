import type { JobUid, QueueName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { endIfPlacedAt } from '../../jobs/endings.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { shapeOf } from '../clusterRoom.ts';
import { devicesAt } from '../capacity/devices.ts';
import type { Candidate, Look, PlacementDecision } from '../decidePlacement.ts';
import { decidePlacement } from '../decidePlacement.ts';
import type { Spot } from '../gang/gangRequest.ts';
import { chooseTarget } from './chooseTarget.ts';
import { findReservation } from './findReservation.ts';
import type { Leaving, Moment } from './leaving.ts';
import type { Promised } from './promises.ts';
import { PromisedQuota } from './promisedQuota.ts';
import { Promises, takeFree } from './promises.ts';

/**
 * What a waiting job that finds no room is promised, and how those behind it are kept from breaking that. One for a pass.
 *
 *   reservation  a place and a time by which it is free for sure, since all who must leave promised an end. Made anew in
 *                each pass for the first jobs of every queue; it only comes nearer, unless a job ahead of it or a fault takes it.
 *   target       a place that is kept as it empties, for a big gang that waited long and for which no time is known. In the
 *                log, so that it stays the same place: a target that changes never fills.
 *
 * Jobs ahead in the order owe them nothing. A job behind starts beside a promised place, or inside it if it promised to be
 * gone before.
 */
export class Backfill {
  readonly promises: Promises;
  readonly quota: PromisedQuota;
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  readonly #moment: Moment;
  readonly #reserved = new Map<QueueName, number>();
  readonly #promisedTimes: { readonly job: JobView; readonly model: string | null }[] = [];
  #reservations = 0;
  #targets: number;
  #isTargetFree = false;
  #isTargetKept = false;
  #isPassedByOthers = false;
  #isOneWanted = false;
  #wakeAtMs: number | null = null;

  /** `targets`: how many jobs that wait have one. */
  constructor(turn: Turn, cluster: ClusterRoom, targets: number) {
    const { context } = turn;
    this.promises = new Promises(cluster.room.capacity);
    this.quota = new PromisedQuota(turn.state);
    this.#turn = turn;
    this.#cluster = cluster;
    this.#moment = { nowMs: context.nowMs, stopSlackMs: context.policy.stopSlackMs };
    this.#targets = targets;
  }

  /** Somebody gave up a target after another one was refused one, or may have to; or a promise is void: the next pass sees to it. */
  get more(): boolean {
    return this.#isPassedByOthers || (this.#isTargetFree && this.#isOneWanted) || this.#isAnyVoid();
  }

  /** Who was promised a time, and may not start any more by a limit that somebody else has reached since. */
  #isAnyVoid(): boolean {
    const { queues } = this.#turn.state;
    return this.#promisedTimes.some(({ job, model }) => findBrokenLimit({ queues, usage: this.quota }, job, model) !== null);
  }

  /** When a gang has waited long enough for a target; null: none is about to. */
  get wakeAtMs(): number | null {
    return this.#wakeAtMs;
  }

  /** Where the job goes now, without breaking what was promised before it was looked at. */
  decide(job: Candidate): PlacementDecision {
    const view = this.#viewOf(job);
    return this.#decideIn(view, job, {
      findFailed: (key) => this.promises.findFailed(view, key),
      noteFailed: (key, wait) => {
        this.promises.noteFailed(view, key, wait);
      },
    });
  }

  /** The same for a nominee, looked at while others' places are held: what is no place for it says nothing of others of its shape. */
  decideAlone(job: Candidate): PlacementDecision {
    return this.#decideIn(this.#viewOf(job), job, { findFailed: () => undefined, noteFailed: () => undefined });
  }

  #decideIn(view: number, job: Candidate, memory: Pick<Look, 'findFailed' | 'noteFailed'>): PlacementDecision {
    return decidePlacement(this.#turn.state, this.#cluster, job, {
      nowMs: this.#moment.nowMs,
      avoidFailedMs: this.#turn.context.policy.avoidFailedMs,
      usage: this.quota,
      show: () => {
        this.promises.show(view);
      },
      ...memory,
    });
  }

  /** Takes what is free of a place; to be given back to the capacity. */
  holdFree(job: Candidate & { readonly uid: JobUid }, placement: Placement, model: string | null): readonly Hold[] {
    return takeFree(this.#cluster.room.capacity, this.#promised(job, { spots: this.#spotsOf(placement), model }));
  }

  /** Makes the room show what a job may use that starts when others have left, nobody knows when: nothing that is promised. */
  showForLater(): void {
    this.promises.show(this.promises.all.length);
  }

  /** Keeps a place for the job from now on. */
  keep(job: Candidate & { readonly uid: JobUid }, placement: Placement, model: string | null): void {
    this.promises.add(this.#promised(job, { spots: this.#spotsOf(placement), model }));
  }

  #spotsOf(placement: Placement): readonly Spot[] {
    const { capacity } = this.#cluster.room;
    return placement.flatMap((place): readonly Spot[] => {
      const node = capacity.topology.numberOf.get(place.node);
      return node === undefined ? [] : [{ node, gpus: devicesAt(capacity, node, place) }];
    });
  }

  /** The job found no room: it is promised what can be promised. The reason to wait, with that. `surplus`: what it could be given back. */
  promise(job: JobView, wait: WaitReason, surplus: () => readonly Leaving[]): WaitReason {
    if (wait.kind !== 'InsufficientGpus' && wait.kind !== 'LevelTooSmall' && wait.kind !== 'Reservation') {
      this.dropTarget(job, 'it waits for something else now');
      return wait;
    }
    const promised = this.#keepTarget(job) ?? this.#reserve(job, surplus) ?? this.#aim(job);
    if (promised !== null) return wait.kind === 'Reservation' && promised.kind === 'Reserved' ? { ...wait, atMs: promised.atMs } : promised;
    const kept = this.promises.gpusKept(this.#viewOf(job));
    return wait.kind === 'InsufficientGpus' && kept > 0 ? { ...wait, kept } : wait;
  }

  dropTarget(job: JobView, message: string): void {
    if (job.target === null) return;
    this.#turn.emit({ kind: 'TargetDropped', uid: job.uid, message });
    this.#freeTarget();
  }

  /** To be told before a job is placed. */
  starts(job: JobView): void {
    // It may take the rest of a quota that a job with a target counts on.
    this.#isPassedByOthers = this.#isTargetKept;
    if (job.target !== null) this.#freeTarget();
  }

  #freeTarget(): void {
    this.#targets -= 1;
    this.#isTargetFree = true;
  }

  #viewOf(job: Candidate): number {
    return this.promises.viewOf(this.#endMs(job));
  }

  #endMs(job: Candidate): number {
    const endMs = endIfPlacedAt(job, this.#moment.nowMs);
    return endMs === null ? Infinity : endMs + this.#moment.stopSlackMs;
  }

  #promised(
    job: Candidate & { readonly uid: JobUid },
    { spots, model }: { readonly spots: readonly Spot[]; readonly model: string | null },
  ): Promised {
    const { exclusive } = job.spec;
    return {
      job: job.uid,
      startMs: this.#moment.nowMs,
      // It starts when others have left, nobody knows when.
      endMs: Infinity,
      spots,
      shape: shapeOf(job.spec, model),
      exclusiveDepth: exclusive === null ? null : this.#cluster.levels.indexOf(exclusive) + 1,
    };
  }

  #reserve(job: JobView, surplus: () => readonly Leaving[]): WaitReason | null {
    const { reservationsPerQueue, reservationsMax } = this.#turn.context.policy;
    const { queue } = job.spec;
    const made = this.#reserved.get(queue) ?? 0;
    if (made >= reservationsPerQueue || this.#reservations >= reservationsMax) return null;
    this.promises.end();
    const around = {
      state: this.#turn.state,
      usage: this.quota,
      cluster: this.#cluster,
      promised: this.promises.all,
      moment: this.#moment,
      surplus: surplus(),
    };
    const found = findReservation(around, job);
    if (found === null) return null;
    this.#reserved.set(queue, made + 1);
    this.#reservations += 1;
    this.#promisedTimes.push({ job, model: found.model });
    this.promises.add(found);
    return { kind: 'Reserved', wanted: gangOf(job), atMs: found.startMs, nodes: this.#namesOf(found.spots) };
  }

  /** What is free of its target is kept; a target that broke is given up. */
  #keepTarget(job: JobView): WaitReason | null {
    const { target } = job;
    if (target === null) return null;
    if (!this.#isWhole(target.placement, target.model) || this.#cluster.closed.closes(job, target.placement, 'claim')) {
      this.dropTarget(job, 'a part of its place takes no work any more');
      return null;
    }
    if (findBrokenLimit({ queues: this.#turn.state.queues, usage: this.quota }, job, target.model) !== null) {
      this.dropTarget(job, 'a limit keeps it from its place');
      return null;
    }
    const { placement, model } = target;
    this.promises.add({ ...this.#promised(job, { spots: this.#spotsOf(placement), model }), isTarget: true });
    return this.#waitsForTarget(job, target.placement, target.model);
  }

  #aim(job: JobView): WaitReason | null {
    const { targetAfterMs, targetGpusMin, targetsMax } = this.#turn.context.policy;
    const { workers, gpusPerWorker, gpuShareMilli, gpuProfile } = job.spec;
    if (gpuShareMilli !== null || gpuProfile !== null || workers * gpusPerWorker < targetGpusMin) return null;
    const sinceMs = job.phase.kind === 'pending' ? job.phase.sinceMs : this.#moment.nowMs;
    const fromMs = sinceMs + targetAfterMs;
    if (fromMs > this.#moment.nowMs) {
      this.#wakeAtMs = Math.min(fromMs, this.#wakeAtMs ?? fromMs);
      return null;
    }
    if (this.#targets >= targetsMax) {
      this.#isOneWanted = true;
      return null;
    }
    this.#targets += 1;
    const place = chooseTarget(
      { state: this.#turn.state, usage: this.quota, cluster: this.#cluster, promises: this.promises },
      job,
      this.#moment.nowMs,
    );
    if (place === null) return null;
    const placement = place.spots.map(({ node, gpus }) => ({ node: this.#cluster.room.capacity.nameOf(node), gpus }));
    this.#turn.emit({ kind: 'TargetChosen', uid: job.uid, placement, model: place.model });
    this.promises.add({ ...this.#promised(job, place), isTarget: true });
    return this.#waitsForTarget(job, placement, place.model);
  }

  #waitsForTarget(job: JobView, placement: Placement, model: string | null): WaitReason {
    this.#isTargetKept = true;
    const { capacity } = this.#cluster.room;
    this.promises.end();
    const number = model === null ? -1 : capacity.modelNumber(model);
    const free = placement.filter(({ node: name, gpus }) => {
      const node = capacity.topology.numberOf.get(name);
      return node !== undefined && gpus.every((gpu) => capacity.freeMilli(node, gpu, number) === gpuMilliPerGpu);
    });
    const nodes = [...new Set(placement.map(({ node }) => node))].sort();
    return { kind: 'WaitingForTarget', wanted: gangOf(job), free: free.length, nodes };
  }

  /** Every node of it takes work and every GPU is healthy, held or not. */
  #isWhole(placement: Placement, model: string | null): boolean {
    const { capacity } = this.#cluster.room;
    return placement.every(({ node: name, gpus }) => {
      const node = capacity.topology.numberOf.get(name);
      if (node === undefined || !capacity.factsOf(node).open) return false;
      const sound = new Set(capacity.factsOf(node).gpus.flatMap((gpu) => (gpu.healthy && gpu.model === model ? [gpu.index] : [])));
      return gpus.every((gpu) => sound.has(gpu));
    });
  }

  #namesOf(spots: readonly Spot[]): readonly string[] {
    return [...new Set(spots.map(({ node }) => this.#cluster.room.capacity.nameOf(node)))].sort();
  }
}

const gangOf = ({ spec: { workers, gpusPerWorker } }: Pick<JobView, 'spec'>) => ({ workers, gpusPerWorker });
