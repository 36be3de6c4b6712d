import { specOfSize } from '#vocabulary/elastic.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { isGrowth } from '../../jobs/size.ts';
import { cancelLeaving } from '../../jobs/stop.ts';
import { judgeReadiness } from '../../jobs/readiness.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import type { PlacementDecision } from '../decidePlacement.ts';
import { crosses } from '../../jobs/crossing.ts';
import { layMeshAt } from '../mesh/layMesh.ts';
import { mustStayInside } from '../requestOf.ts';
import { keepPlace } from './keepPlace.ts';

/**
 * The places of jobs that were asked to move, in one pass. They are out of everybody's reach from its beginning to its
 * end; who has left starts there before anybody is looked at. When a place breaks (its node went, a GPU failed), who has
 * not been told to stop runs on where it is. Who has is looked at before all others when it has left, and may find that
 * what it left is still there; after that it is an ordinary waiting job.
 */
export class KeptPlaces {
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  readonly #kept = new Map<JobUid, Kept>();
  readonly #homeless: JobView[] = [];

  constructor(turn: Turn, cluster: ClusterRoom) {
    this.#turn = turn;
    this.#cluster = cluster;
  }

  /** Have left, and found their place broken in this pass. */
  get homeless(): readonly JobView[] {
    return this.#homeless;
  }

  keepAll(): void {
    const { state } = this.#turn;
    const jobs = [...state.moving].flatMap((uid) => state.jobs.get(uid) ?? []);
    jobs.sort((left, right) => (left.move?.atMs ?? 0) - (right.move?.atMs ?? 0) || (left.uid < right.uid ? -1 : 1));
    for (const job of jobs) {
      // Who is to grow keeps nothing from others until it has left (elastic/growth.ts).
      if (isGrowth(job) && job.phase.kind === 'active') continue;
      if (!this.keep(job)) this.#lose(job);
    }
  }

  /** false: its place is not to be had. */
  keep(job: JobView): boolean {
    if (job.move?.kind !== 'asked') return false;
    const { model } = job.move;
    for (const placement of placesFor(job, job.move)) {
      const isOpen = !this.#cluster.closed.closes(job, placement, 'claim') && this.#mayHave(job, placement, model);
      const holds = isOpen ? keepPlace(this.#cluster, job, { placement, model }) : null;
      if (holds === null) continue;
      this.#kept.set(job.uid, { placement, model, holds });
      return true;
    }
    return false;
  }

  /** Who has left to grow is to have no more than the quota allows now; of the others that is asked when they start. */
  #mayHave(job: JobView, placement: Placement, model: string | null): boolean {
    if (!isGrowth(job)) return true;
    return findBrokenLimit(this.#turn.state, { ...job, spec: specOfSize(job.spec, placement.length) }, model) === null;
  }

  /** Those who have left start again. */
  settle(place: (job: JobView, decision: Extract<PlacementDecision, { ok: true }>) => void): void {
    const { state, context } = this.#turn;
    for (const [uid, { placement, model }] of [...this.#kept]) {
      const job = state.jobs.get(uid);
      if (job?.move?.kind !== 'asked' || job.phase.kind !== 'pending') continue;
      this.#giveBack(uid);
      // Held meanwhile, or its queue may hold less now, or others took the links between zones.
      const sized = { ...job, spec: specOfSize(job.spec, placement.length) };
      const mayStart =
        judgeReadiness(state, job, context.nowMs) === null &&
        findBrokenLimit(state, sized, model) === null &&
        !(mustStayInside(this.#cluster, sized.spec) && crosses(state, placement));
      // Who changes its size stays in its order.
      const kind = job.attempts.at(-1)?.placement.length === placement.length ? 'order' : 'keep';
      if (mayStart) place(job, { ok: true, model, ...layMeshAt(this.#cluster, sized, { placement, model }, { kind }) });
      else this.#lose(job);
    }
  }

  /** Gives back the places of those who run on. Whether there were any: then there is more room than before. */
  forget(): boolean {
    const over = [...this.#kept.keys()].filter((uid) => this.#turn.state.jobs.get(uid)?.move?.kind !== 'asked');
    for (const uid of over) this.#giveBack(uid);
    return over.length > 0;
  }

  /** Gives everything back: it is theirs by the log, not by the capacity. */
  end(): void {
    for (const uid of [...this.#kept.keys()]) this.#giveBack(uid);
  }

  #lose(job: JobView): void {
    cancelLeaving(this.#turn, job);
    // It is leaving: the place may still come back.
    if (job.phase.kind !== 'pending') return;
    this.#turn.emit({ kind: 'NominationDropped', uid: job.uid, message: 'the place that was kept for it is not to be had any more' });
    this.#homeless.push(job);
  }

  #giveBack(uid: JobUid): void {
    for (const hold of this.#kept.get(uid)?.holds ?? []) this.#cluster.room.capacity.give(hold);
    this.#kept.delete(uid);
  }
}

interface Kept {
  readonly placement: Placement;
  readonly model: string | null;
  /** What of it the job does not hold itself. */
  readonly holds: readonly Hold[];
}

/** Who grows has what it had, where others took meanwhile what it would have had. */
function placesFor(job: JobView, move: Extract<JobView['move'], { kind: 'asked' }>): readonly Placement[] {
  const before = job.attempts.at(-1)?.placement;
  return isGrowth(job) && before !== undefined ? [move.placement, before] : [move.placement];
}
