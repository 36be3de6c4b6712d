import type { JobUid } from '#vocabulary/ids.ts';
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
  readonly #holds = new Map<JobUid, readonly Hold[]>();
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
    for (const job of jobs) if (!this.keep(job)) this.#lose(job);
  }

  /** false: its place is not to be had. */
  keep(job: JobView): boolean {
    const isOpen = job.move?.kind === 'asked' && !this.#cluster.closed.closes(job, job.move.placement, 'claim');
    const holds = isOpen ? keepPlace(this.#cluster, job, job.move) : null;
    if (holds !== null) this.#holds.set(job.uid, holds);
    return holds !== null;
  }

  /** Those who have left start again. */
  settle(place: (job: JobView, decision: Extract<PlacementDecision, { ok: true }>) => void): void {
    const { state, context } = this.#turn;
    for (const uid of [...this.#holds.keys()]) {
      const job = state.jobs.get(uid);
      if (job?.move?.kind !== 'asked' || job.phase.kind !== 'pending') continue;
      const { placement, model } = job.move;
      this.#giveBack(uid);
      // Held meanwhile, or its queue may hold less now, or others took the links between zones.
      const mayStart =
        judgeReadiness(state, job, context.nowMs) === null &&
        findBrokenLimit(state, job, model) === null &&
        !(mustStayInside(this.#cluster, job.spec) && crosses(state, placement));
      if (mayStart) place(job, { ok: true, model, ...layMeshAt(this.#cluster, job, { placement, model }, { kind: 'order' }) });
      else this.#lose(job);
    }
  }

  /** Gives back the places of those who run on. Whether there were any: then there is more room than before. */
  forget(): boolean {
    const over = [...this.#holds.keys()].filter((uid) => this.#turn.state.jobs.get(uid)?.move?.kind !== 'asked');
    for (const uid of over) this.#giveBack(uid);
    return over.length > 0;
  }

  /** Gives everything back: it is theirs by the log, not by the capacity. */
  end(): void {
    for (const uid of [...this.#holds.keys()]) this.#giveBack(uid);
  }

  #lose(job: JobView): void {
    cancelLeaving(this.#turn, job);
    // It is leaving: the place may still come back.
    if (job.phase.kind !== 'pending') return;
    this.#turn.emit({ kind: 'NominationDropped', uid: job.uid, message: 'the place that was kept for it is not to be had any more' });
    this.#homeless.push(job);
  }

  #giveBack(uid: JobUid): void {
    for (const hold of this.#holds.get(uid) ?? []) this.#cluster.room.capacity.give(hold);
    this.#holds.delete(uid);
  }
}
