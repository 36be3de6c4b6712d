import { deviceModel } from '#vocabulary/gpuProfile.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { endIfPlacedAt } from '../../jobs/endings.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import type { StateView } from '../../state/view.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { shapeOf } from '../clusterRoom.ts';
import type { Candidate } from '../decidePlacement.ts';
import { modelsFor } from '../decidePlacement.ts';
import { findPlacement, fits } from '../gang/findPlacement.ts';
import type { GangRequest } from '../gang/gangRequest.ts';
import { requestOf } from '../requestOf.ts';
import type { Leaving, Moment } from './leaving.ts';
import { LeavingList } from './leaving.ts';
import type { Promised } from './promises.ts';
import { takeFree } from './promises.ts';

export interface Around {
  readonly state: StateView;
  /** As the state's, with the quota that others were promised. */
  readonly usage: Pick<StateView['usage'], 'get'>;
  /** Shows the cluster as it is, without promises. */
  readonly cluster: ClusterRoom;
  /** Made before. */
  readonly promised: readonly Promised[];
  readonly moment: Moment;
  /** What elastic jobs can be asked to give back to the job. */
  readonly surplus: readonly Leaving[];
}

type Waiting = Candidate & { readonly uid: JobUid };

/** A promise with the model that it is for. */
export type Reservation = Promised & { readonly model: string | null };

/** Times that are tried beyond the first at which enough is free, while other promises stand in the way. */
const laterTimesMax = 32;

/**
 * The earliest time at which a gang has a place for sure, and that place: by then enough jobs are gone that promised to be
 * (`maxRuntime`, `deadline`, or being asked to leave), and as long as the gang may be there nobody else was promised its
 * GPUs. Null: with all of them gone it still does not fit, so nobody knows when. Of several models, the one that is there
 * first; one that a limit keeps it from is not looked at, since no time is known at which it may have it.
 *
 * This is the reservation of EASY backfill (Lifka, JSSPP'95) in time and in place; made for every waiting job it is
 * conservative backfill (Mu'alem and Feitelson, IEEE TPDS 2001). A trial on the capacity that is rolled back.
 */
export function findReservation(around: Around, job: Waiting): Reservation | null {
  const leaving = new LeavingList(around.state, around.cluster.room.capacity, around.moment, around.surplus);
  let best: Reservation | null = null;
  for (const model of modelsFor(around.cluster.room, job, [])) {
    if (findBrokenLimit({ queues: around.state.queues, usage: around.usage }, job, model) !== null) continue;
    const found = new Search(around, { job, model, leaving }).find(best?.startMs ?? Infinity);
    if (found !== null) best = found;
  }
  return best;
}

class Search {
  readonly #around: Around;
  readonly #job: Waiting;
  readonly #model: string | null;
  readonly #leaving: LeavingList;
  /** How many of the first to leave are given in the capacity. */
  #given = 0;

  constructor(
    around: Around,
    { job, model, leaving }: { readonly job: Waiting; readonly model: string | null; readonly leaving: LeavingList },
  ) {
    this.#around = around;
    this.#job = job;
    this.#model = model;
    this.#leaving = leaving;
  }

  /** Null: none that starts before `beforeMs`. */
  find(beforeMs: number): Reservation | null {
    const { capacity } = this.#around.cluster.room;
    const mark = capacity.mark();
    const gone = this.#fewestGone();
    let found = gone === null ? null : this.#findBeside(this.#timeOf(gone), beforeMs);
    // While nodes are closed to it, it may fit at a time when fewer have left.
    const openings = this.#around.cluster.closed.opensAt(this.#job, this.#around.moment.nowMs);
    for (const atMs of openings) found = this.#findAfter(mark, atMs, found?.startMs ?? beforeMs) ?? found;
    capacity.rollback(mark);
    return found;
  }

  /** From the time when reserved nodes are open again on. */
  #findAfter(mark: number, atMs: number, beforeMs: number): Reservation | null {
    if (atMs >= beforeMs) return null;
    const { capacity } = this.#around.cluster.room;
    capacity.rollback(mark);
    capacity.mark();
    this.#given = 0;
    return this.#findBeside(atMs, beforeMs);
  }

  /** How many of the first to leave must be gone so that it fits were it not for promises; these are given in the capacity then. Null: all are too few. */
  #fewestGone(): number | null {
    if (this.#fits(0)) return 0;
    let failed = 0;
    let enough = 0;
    // In growing strides to a number that is enough, then halving the gap.
    for (let tried = this.#goneForGpus(), stride = 1; ; tried += stride, stride *= 2) {
      enough = this.#leaving.reach(tried);
      if (enough <= failed) return null;
      if (this.#fitsAfter(failed, enough)) break;
      failed = enough;
    }
    while (enough - failed > 1) {
      const middle = (failed + enough) >>> 1;
      if (this.#fitsAfter(failed, middle)) enough = middle;
      else failed = middle;
    }
    this.#give(failed, enough);
    this.#given = enough;
    return enough;
  }

  /** Cheaper than to look: as many must be gone before there are GPUs enough in all. At least 1. */
  #goneForGpus(): number {
    const { workers, gpusPerWorker, gpuShareMilli, gpuProfile } = this.#job.spec;
    if (this.#model === null || gpuShareMilli !== null) return 1;
    let gpus = this.#around.cluster.room.freeGpus(deviceModel(this.#model, gpuProfile));
    for (let gone = 0; ; gone += 1) {
      const next = this.#leaving.at(gone);
      if (gpus >= workers * gpusPerWorker || next === undefined) return Math.max(1, gone);
      for (const hold of next.holds) gpus += hold.gpus.length;
    }
  }

  /** Whether it fits when those are gone, too. If so they are back after it; if not they stay away. */
  #fitsAfter(from: number, to: number): boolean {
    const { capacity } = this.#around.cluster.room;
    const mark = capacity.mark();
    this.#give(from, to);
    const isEnough = this.#fits(to);
    if (isEnough) capacity.rollback(mark);
    else capacity.keep();
    return isEnough;
  }

  #give(from: number, to: number): void {
    const { capacity } = this.#around.cluster.room;
    for (let at = from; at < to; at += 1) for (const hold of this.#leaving.at(at)?.holds ?? []) capacity.give(hold);
  }

  #fits(gone: number): boolean {
    return fits(this.#around.cluster.room, this.#requestAt(this.#timeOf(gone)));
  }

  /** When so many are gone. */
  #timeOf(gone: number): number {
    return gone === 0 ? this.#around.moment.nowMs : (this.#leaving.at(gone - 1)?.atMs ?? Infinity);
  }

  #requestAt(atMs: number): GangRequest {
    return requestOf(this.#around.cluster, this.#job, this.#model, atMs);
  }

  /** From this time on, the first at which no promise is in the way. */
  #findBeside(fromMs: number, beforeMs: number): Reservation | null {
    let given = this.#given;
    let atMs: number | null = fromMs;
    for (let tries = 0; tries <= laterTimesMax && atMs !== null && atMs < beforeMs; tries += 1) {
      for (let next = this.#leaving.at(given); next !== undefined && next.atMs <= atMs; next = this.#leaving.at(given)) {
        this.#give(given, given + 1);
        given += 1;
      }
      const found = this.#tryAt(atMs);
      if (found !== null) return found;
      atMs = this.#nextTime(given, atMs);
    }
    return null;
  }

  #tryAt(startMs: number): Reservation | null {
    const { cluster, promised, moment } = this.#around;
    const { capacity } = cluster.room;
    const promisedEndMs = endIfPlacedAt(this.#job, startMs);
    const endMs = promisedEndMs === null ? Infinity : promisedEndMs + moment.stopSlackMs;
    const mark = capacity.mark();
    for (const other of promised) if (other.startMs < endMs && other.endMs > startMs) takeFree(capacity, other);
    const request = this.#requestAt(startMs);
    const spots = findPlacement(cluster.room, request)?.[0] ?? null;
    capacity.rollback(mark);
    if (spots === null) return null;
    const shape = shapeOf(this.#job.spec, this.#model);
    return { job: this.#job.uid, startMs, endMs, spots, shape, exclusiveDepth: request.exclusiveDepth, model: this.#model };
  }

  /** When somebody leaves, or a promise ends; null: nothing changes any more. */
  #nextTime(given: number, afterMs: number): number | null {
    const ends = this.#around.promised.map(({ endMs }) => endMs).filter((endMs) => endMs > afterMs && endMs < Infinity);
    const next = Math.min(this.#leaving.at(given)?.atMs ?? Infinity, ...ends);
    return next === Infinity ? null : next;
  }
}
