import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { modelsPresent } from '../jobs/emptyRoom.ts';
import { judgeReadiness, wakeAtMs } from '../jobs/readiness.ts';
import { atLeast } from '../jobs/size.ts';
import { dropNomination } from '../jobs/stop.ts';
import { Consolidation } from './consolidate/consolidation.ts';
import { KeptPlaces } from './consolidate/keptPlaces.ts';
import { emitPlaced } from './emitPlaced.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { openRoom } from './clusterRoom.ts';
import { Growth } from './elastic/growth.ts';
import { decideAtSize } from './elastic/startSize.ts';
import { isShortage, Preemption } from './preempt.ts';
import type { PlacementDecision } from './decidePlacement.ts';
import { widensAtMs } from './requestOf.ts';
import { Backfill } from './reserve/backfill.ts';
import { TurnOrder } from './turnOrder.ts';

/**
 * One scheduling pass: nominees, then waiting jobs in fair order, each gang whole or not at all. A job that does not
 * fit does not hold up those behind it. The seam: whatever schedules takes a turn, emits AttemptPlaced and answers why
 * the others wait.
 */
export interface PassResult {
  /** Of every job that still waits. */
  readonly waits: ReadonlyMap<JobUid, WaitReason>;
  /** Another one is due at once: the pass stopped at its limit, or what it did last may let one start that it looked at before. */
  readonly more: boolean;
  /** Another one is due then, though nothing else happens; null: time alone changes nothing. */
  readonly wakeAtMs: number | null;
  /** Another one is due within a second when one of these has saved. */
  readonly awaitsSave: ReadonlySet<JobUid>;
  /** For State.movesFromMs. */
  readonly movesFromMs: number;
}

export function runPass(turn: Turn): PassResult {
  const pass = beginPass(turn);
  const { kept, consolidation, preemption, backfill } = pass;
  kept.keepAll();
  kept.settle((job, decision) => place(pass, job, decision));
  for (const job of kept.homeless) lookAt(pass, job);
  for (const nominee of preemption.nominees()) lookAtNominee(pass, nominee);
  // What found no room for a nominee may find it in what was kept for those who run on.
  if (kept.forget()) backfill.promises.forgetFailed();
  lookAtOthers(pass);
  pass.growth.run();
  backfill.promises.end();
  kept.end();
  for (const atMs of [preemption.wakeAtMs, consolidation.wakeAtMs, backfill.wakeAtMs, pass.growth.wakeAtMs]) noteWake(pass, atMs);
  pass.cluster.settle();
  const isAtLimit = pass.placed >= turn.context.policy.placementsPerStepMax && pass.waits.size > 0;
  const more = isAtLimit || preemption.more || consolidation.more || backfill.more || pass.growth.more;
  return {
    waits: pass.waits,
    more,
    wakeAtMs: pass.wakeAtMs,
    awaitsSave: pass.growth.withAwaited(preemption.awaitsSave),
    movesFromMs: consolidation.nextSearchMs,
  };
}

/** What a pass would decide about one more waiting job, after those ahead of it. `dry` emits nothing; nothing changes. */
export function planPass(dry: Turn, candidate: JobView): PlacementDecision {
  const pass = beginPass(dry);
  const { capacity } = pass.cluster.room;
  const mark = capacity.mark();
  pass.kept.keepAll();
  for (const nominee of pass.preemption.nominees()) lookAtNominee(pass, nominee);
  const order = orderOf(pass, [candidate]);
  let decision: PlacementDecision | null = null;
  for (let job = order.next(); job !== null && decision === null; job = order.next()) {
    if (job === candidate) decision = decide(pass, job);
    else {
      const model = lookAt(pass, job);
      if (model !== null) order.gave(job, model);
    }
  }
  pass.backfill.promises.end();
  capacity.rollback(mark);
  return decision ?? { ok: false, wait: { kind: 'PassLimit' } };
}

interface Pass {
  readonly turn: Turn;
  readonly cluster: ClusterRoom;
  readonly backfill: Backfill;
  readonly preemption: Preemption;
  readonly kept: KeptPlaces;
  readonly consolidation: Consolidation;
  readonly growth: Growth;
  readonly waits: Map<JobUid, WaitReason>;
  placed: number;
  /** When time alone lets a waiting job become a candidate. */
  wakeAtMs: number | null;
}

function beginPass(turn: Turn): Pass {
  const cluster = openRoom(turn.state, turn.context.policy.levels);
  const backfill = new Backfill(turn, cluster);
  const preemption = new Preemption(turn, cluster, backfill);
  const kept = new KeptPlaces(turn, cluster);
  const consolidation = new Consolidation(turn, cluster, { preemption, kept, promises: backfill.promises });
  const growth = new Growth(turn, cluster, backfill);
  return { turn, cluster, backfill, preemption, kept, consolidation, growth, waits: new Map(), placed: 0, wakeAtMs: null };
}

function lookAtOthers(pass: Pass): void {
  const order = orderOf(pass, []);
  for (let job = order.next(); job !== null; job = order.next()) {
    const model = lookAt(pass, job);
    if (model !== null) order.gave(job, model);
  }
}

/** `more`: besides those that wait; they stand behind jobs of equal rank. */
function orderOf(pass: Pass, more: readonly JobView[]): TurnOrder {
  const { state } = pass.turn;
  const waiting = state.pending.flatMap((uid) => {
    const job = state.jobs.get(uid);
    return job !== undefined && job.nomination === null ? [job] : [];
  });
  for (const job of more) {
    const at = waiting.findIndex((other) => other.next === null && other.spec.priority < job.spec.priority);
    waiting.splice(at === -1 ? waiting.length : at, 0, job);
  }
  return new TurnOrder(state, waiting, modelsPresent(state), pass.preemption.standings);
}

/** Victims that it did not need after all run on. */
function lookAtNominee(pass: Pass, job: JobView): void {
  pass.preemption.lift(job);
  // Held, or told to wait for another job, since it was nominated.
  if (!isReady(pass, job)) {
    dropNomination(pass.turn, job);
    return;
  }
  const victims = job.nomination?.victims ?? [];
  const least = atLeast(job);
  const decision = pass.backfill.decideAlone(least);
  if (decision.ok) {
    place(pass, job, decision);
    pass.preemption.release(victims);
    return;
  }
  const wait = pass.preemption.hold(least);
  if (wait !== null) pass.waits.set(job.uid, wait);
}

/** The model that it was given, or promised by others who leave; null: neither. */
function lookAt(pass: Pass, job: JobView): string | null {
  if (pass.placed >= pass.turn.context.policy.placementsPerStepMax) {
    pass.waits.set(job.uid, { kind: 'PassLimit' });
    return null;
  }
  const decision = decide(pass, job);
  if (decision.ok) {
    place(pass, job, decision);
    return decision.model;
  }
  pass.waits.set(job.uid, decision.wait);
  return job.nomination?.model ?? null;
}

/** Where it goes; else what it waits for, after all was done about that: others were asked to leave, or a place is kept. */
function decide(pass: Pass, job: JobView): PlacementDecision {
  const { preemption, backfill } = pass;
  const notReady = judgeReadiness(pass.turn.state, job, pass.turn.context.nowMs);
  if (notReady !== null) {
    noteWake(pass, wakeAtMs(notReady));
    backfill.dropTarget(job, 'it is not to start now');
    return { ok: false, wait: notReady };
  }
  const decision = decideAtSize(job, (sized) => backfill.decide(sized));
  if (decision.ok) return decision;
  noteWake(pass, widensAtMs(job, pass.turn.context.nowMs));
  const least = atLeast(job);
  const nominated = isShortage(decision.wait) ? (preemption.nominate(least) ?? pass.consolidation.nominate(least)) : null;
  if (nominated === null)
    return { ok: false, wait: backfill.promise(least, decision.wait, () => preemption.surplus.leaving(preemption.nomineeOf(least, null))) };
  backfill.dropTarget(job, 'it is promised another place');
  return { ok: false, wait: nominated };
}

function isReady(pass: Pass, job: JobView): boolean {
  const notReady = judgeReadiness(pass.turn.state, job, pass.turn.context.nowMs);
  if (notReady === null) return true;
  pass.waits.set(job.uid, notReady);
  noteWake(pass, wakeAtMs(notReady));
  return false;
}

function noteWake(pass: Pass, atMs: number | null): void {
  if (atMs !== null) pass.wakeAtMs = Math.min(atMs, pass.wakeAtMs ?? atMs);
}

function place(pass: Pass, job: JobView, decision: Extract<PlacementDecision, { ok: true }>): void {
  pass.backfill.starts(job);
  emitPlaced(pass.turn, job, decision.placement, decision.model);
  pass.cluster.take(job, decision);
  pass.preemption.noteStart();
  pass.placed += 1;
}
