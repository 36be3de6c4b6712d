import { specOfSize } from '#vocabulary/elastic.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { modelsPresent } from '../../jobs/emptyRoom.ts';
import { judgeReadiness } from '../../jobs/readiness.ts';
import { atLeast } from '../../jobs/size.ts';
import { levelsOf } from '../../queues/attained.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { KeptPlaces } from '../consolidate/keptPlaces.ts';
import type { PlacementDecision } from '../decidePlacement.ts';
import { decideAtSize } from '../elastic/startSize.ts';
import { isShortage, Preemption } from '../preempt.ts';
import { Backfill } from '../reserve/backfill.ts';
import { TurnOrder } from '../turnOrder.ts';
import { claimOf } from '../victims/running.ts';
import type { WaitingLines } from '../waiting/waitingLines.ts';
import type { Waits } from '../waiting/waits.ts';
import { linesWith } from './linesWith.ts';

/**
 * The moment of a pass at which a job is looked at, made again: what was promised to those ahead of it is out of its
 * reach, and nothing else. Who waits ahead of it waits as the last pass said, so nobody is searched for anew, and the
 * cost is that of the order and of the few reservations.
 *
 * With a job that was changed, or queues that were, it is the same for what would be (remedies.ts). Then those whom the change may help,
 * or who were behind and are ahead now, are decided about as the pass would.
 */
export interface Around {
  /** Emits nothing. Its time is that of the last pass. */
  readonly turn: Turn;
  readonly cluster: ClusterRoom;
  /** Of the state, without changes. */
  readonly lines: WaitingLines;
  readonly waits: Waits;
}

export interface Stand {
  readonly backfill: Backfill;
  readonly preemption: Preemption;
  /** Looked at before it, in order. */
  readonly ahead: readonly JobView[];
  /**
   * Somebody ahead would start, and somebody else ahead waits for room: what is promised to him may be another place than here, as the end
   * of who starts is in no index.
   */
  readonly isGuess: boolean;
}

/** What is otherwise than in the last pass. */
export interface Trial {
  /** Whether the job waits on as it did, however the trial ends. */
  readonly isSettled: (job: JobView) => boolean;
}

const nothingChanged: Trial = { isSettled: () => true };

/** `subject`: as it is in the state, or changed. Everything is as before when `look` has returned. */
export function atItsTurn<T>(around: Around, subject: JobView, look: (stand: Stand) => T, trial: Trial = nothingChanged): T {
  const { capacity } = around.cluster.room;
  const mark = capacity.mark();
  const walk = new Walk({ ...around, lines: linesFor(around, subject) }, trial);
  try {
    walk.to(subject);
    return look(walk);
  } finally {
    walk.backfill.promises.end();
    capacity.rollback(mark);
  }
}

class Walk implements Stand {
  readonly backfill: Backfill;
  readonly preemption: Preemption;
  readonly ahead: JobView[] = [];
  readonly #around: Around;
  readonly #trial: Trial;
  #areStarted = false;
  #areShort = false;

  constructor(around: Around, trial: Trial) {
    const { turn, cluster, lines } = around;
    this.#around = around;
    this.#trial = trial;
    this.backfill = new Backfill(turn, cluster, lines.targeted.size);
    this.preemption = new Preemption(turn, cluster, { backfill: this.backfill, lines });
  }

  get isGuess(): boolean {
    return this.#areStarted && this.#areShort;
  }

  to(subject: JobView): void {
    const { turn, cluster, lines } = this.#around;
    new KeptPlaces(turn, cluster).keepAll();
    for (const nominee of this.preemption.nominees()) {
      this.preemption.lift(nominee);
      if (nominee.uid === subject.uid) return;
      this.ahead.push(nominee);
      if (judgeReadiness(turn.state, nominee, turn.context.nowMs) === null) this.#passNominee(nominee);
    }
    // Just put first, it comes before all others that were.
    if (subject.next !== null && turn.state.jobs.get(subject.uid)?.next === null) return;
    const order = new TurnOrder({ state: turn.state, lines, models: modelsPresent(turn.state), standings: this.preemption.standings });
    for (let job = order.next(); job !== null && job.uid !== subject.uid; job = order.next()) {
      this.ahead.push(job);
      const decision = this.#trial.isSettled(job) ? this.#keepPromise(job) : this.#decideAnew(job);
      if (decision?.ok === true) order.gave(job, decision.model);
    }
  }

  #passNominee(nominee: JobView): void {
    const decision = this.#trial.isSettled(nominee) ? null : this.backfill.decideAlone(atLeast(nominee));
    if (decision?.ok === true) this.#take(nominee, decision);
    else this.preemption.hold(atLeast(nominee));
  }

  /** The place that the last pass promised it. */
  #keepPromise(job: JobView): null {
    const wait = this.#around.waits.get(job.uid)?.kind;
    if (wait !== 'Reserved' && wait !== 'WaitingForTarget') return null;
    this.#areShort = true;
    const least = atLeast(job);
    this.backfill.promise(least, noRoom(least), this.preemption.leavingFor(least));
    return null;
  }

  /** As the pass would, except that nobody is asked to move. Null: it may not start at all. */
  #decideAnew(job: JobView): PlacementDecision | null {
    const { turn } = this.#around;
    if (judgeReadiness(turn.state, job, turn.context.nowMs) !== null) return null;
    const decision = decideAtSize(job, (sized) => this.backfill.decide(sized));
    const least = atLeast(job);
    if (decision.ok) this.#take(job, decision);
    else {
      this.#areShort ||= isShortage(decision.wait);
      if (!isShortage(decision.wait) || this.preemption.nominate(least) === null)
        this.backfill.promise(least, decision.wait, this.preemption.leavingFor(least));
    }
    return decision;
  }

  #take(job: JobView, decision: Extract<PlacementDecision, { ok: true }>): void {
    this.#areStarted = true;
    this.#around.cluster.take(job, decision);
    this.backfill.quota.keep(claimOf({ ...job, spec: specOfSize(job.spec, decision.placement.length) }, decision.model), []);
  }
}

/** With the job as it is to be looked at. */
export function linesFor({ turn: { state, context }, lines }: Pick<Around, 'turn' | 'lines'>, subject: JobView): WaitingLines {
  return state.jobs.get(subject.uid) === subject ? lines : linesWith(lines, subject, levelsOf(context.policy).inLine(subject));
}

/** A shortage with no numbers: whoever hears of it makes a promise. */
export function noRoom({ spec: { workers, gpusPerWorker } }: JobView): Extract<WaitReason, { kind: 'InsufficientGpus' }> {
  return { kind: 'InsufficientGpus', wanted: { workers, gpusPerWorker }, free: 0, slots: 0, model: null };
}
