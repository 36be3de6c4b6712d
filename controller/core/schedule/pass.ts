import type { WaitReason } from '#vocabulary/reasons.ts';
import type { AwaitsSave } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { modelsPresent } from '../jobs/emptyRoom.ts';
import { judgeReadiness, wakeAtMs } from '../jobs/readiness.ts';
import { atLeast } from '../jobs/size.ts';
import { dropNomination } from '../jobs/stop.ts';
import { Consolidation } from './consolidate/consolidation.ts';
import { KeptPlaces } from './consolidate/keptPlaces.ts';
import type { Quiet } from './defrag/planDefrag.ts';
import { emitPlaced } from './emitPlaced.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { openRoom } from './clusterRoom.ts';
import { Growth } from './elastic/growth.ts';
import { decideAtSize } from './elastic/startSize.ts';
import { isShortage, Preemption } from './preempt.ts';
import type { PlacementDecision } from './decidePlacement.ts';
import { widensAtMs } from './requestOf.ts';
import { Backfill } from './reserve/backfill.ts';
import { Spares } from './spares/spares.ts';
import { levelsOf } from '../queues/attained.ts';
import { TurnOrder } from './turnOrder.ts';
import type { WaitingLines } from './waiting/waitingLines.ts';
import { openLines } from './waiting/waitingLines.ts';
import type { Waits } from './waiting/waits.ts';
import { PassWaits } from './waiting/waits.ts';

/**
 * One scheduling pass: nominees, then waiting jobs in fair order, each gang whole or not at all. A job that does not
 * fit does not hold up those behind it. The seam: whatever schedules takes a turn, emits AttemptPlaced and answers why
 * the others wait.
 */
export interface PassResult {
  /** Of every job that still waits. */
  readonly waits: Waits;
  /** Another one is due at once: the pass stopped at its limit, or what it did last may let one start that it looked at before. */
  readonly more: boolean;
  /** Another one is due then, though nothing else happens; null: time alone changes nothing. */
  readonly wakeAtMs: number | null;
  /** For State.awaitsSave. */
  readonly awaitsSave: AwaitsSave;
  /** For State.movesFromMs. */
  readonly movesFromMs: number;
}

export function runPass(turn: Turn): PassResult {
  const pass = beginPass(turn);
  const { kept, consolidation, growth, preemption, backfill, spares } = pass;
  spares.begin();
  kept.keepAll();
  kept.settle((job, decision) => place(pass, job, decision));
  for (const job of kept.homeless) lookAt(pass, job);
  for (const nominee of preemption.nominees()) lookAtNominee(pass, nominee);
  // What found no room for a nominee may find it in what was kept for those who run on.
  if (kept.forget()) backfill.promises.forgetFailed();
  lookAtOthers(pass);
  growth.run();
  backfill.promises.end();
  kept.end();
  spares.end();
  for (const atMs of [preemption.wakeAtMs, consolidation.wakeAtMs, backfill.wakeAtMs, growth.wakeAtMs, turn.state.defragDueMs])
    noteWake(pass, atMs);
  pass.cluster.settle();
  pass.lines.settle();
  return {
    waits: pass.waits,
    more: pass.isCut || preemption.more || consolidation.more || backfill.more || growth.more || spares.more,
    wakeAtMs: pass.wakeAtMs,
    awaitsSave: growth.withAwaited(preemption.awaitsSave),
    movesFromMs: consolidation.nextSearchMs,
  };
}

/** Looks at the cluster as it will be when this pass is over, with all that is promised to anybody taken; nothing changes. */
export function lookBesidePromises<T>(dry: Turn, look: (quiet: Quiet) => T): T {
  const pass = beginPass(dry);
  const { cluster, preemption, backfill } = pass;
  const { capacity } = cluster.room;
  const mark = capacity.mark();
  pass.kept.keepAll();
  for (const nominee of preemption.nominees()) lookAtNominee(pass, nominee);
  lookAtOthers(pass);
  backfill.showForLater();
  const isPromised: Quiet['isPromised'] = (holds) => backfill.promises.touches(holds);
  const running = preemption.running().filter(({ victim }) => !preemption.isClaimed(victim.uid));
  const seen = look({ state: dry.state, cluster, running, isPromised, nowMs: dry.context.nowMs });
  backfill.promises.end();
  capacity.rollback(mark);
  return seen;
}

interface Pass {
  readonly turn: Turn;
  readonly cluster: ClusterRoom;
  readonly backfill: Backfill;
  readonly preemption: Preemption;
  readonly kept: KeptPlaces;
  readonly consolidation: Consolidation;
  readonly growth: Growth;
  readonly spares: Spares;
  readonly lines: WaitingLines;
  readonly waits: PassWaits;
  placed: number;
  /** It stopped at its limit, and somebody was not looked at. */
  isCut: boolean;
  /** When time alone lets a waiting job become a candidate. */
  wakeAtMs: number | null;
}

function beginPass(turn: Turn): Pass {
  const { state, context } = turn;
  const cluster = openRoom(state, context);
  const lines = openLines(state, levelsOf(context.policy).inLine);
  const backfill = new Backfill(turn, cluster, lines.targeted.size);
  const preemption = new Preemption(turn, cluster, { backfill, lines });
  const kept = new KeptPlaces(turn, cluster);
  const consolidation = new Consolidation(turn, cluster, { preemption, kept, promises: backfill.promises });
  const growth = new Growth(turn, cluster, backfill);
  const spares = new Spares(turn, cluster, () => backfill.showForLater());
  const waits = new PassWaits(state, lines);
  return {
    turn,
    cluster,
    lines,
    backfill,
    preemption,
    kept,
    consolidation,
    growth,
    spares,
    waits,
    placed: 0,
    isCut: false,
    wakeAtMs: null,
  };
}

function lookAtOthers(pass: Pass): void {
  const order = orderOf(pass);
  for (let job = order.next(); job !== null; job = order.next()) {
    if (isAtLimit(pass)) {
      pass.isCut = true;
      pass.waits.setOthers({ kind: 'PassLimit' });
      return;
    }
    lookAtNext(pass, order, job);
  }
}

function lookAtNext(pass: Pass, order: TurnOrder, job: JobView): void {
  const decision = lookAt(pass, job);
  if (decision.ok) order.gave(job, decision.model);
  else if (isSharedByKin(decision.wait) && !pass.cluster.closed.namesJobs) {
    pass.waits.setKin(job.uid, decision.wait);
    order.refusedKin();
  } else order.gave(job, job.nomination?.model ?? null);
}

/** What nominees were promised counts as given in each pass, as it did in the one that promised it: else the turns change. */
function orderOf({ turn: { state }, lines, preemption }: Pass): TurnOrder {
  const order = new TurnOrder({ state, lines, models: modelsPresent(state), standings: preemption.standings });
  for (const uid of lines.nominated) {
    const job = state.jobs.get(uid);
    if (job?.phase.kind === 'pending' && job.nomination !== null) order.gave(job, job.nomination.model);
  }
  return order;
}

const isAtLimit = (pass: Pass): boolean => pass.placed >= pass.turn.context.policy.placementsPerStepMax;

/** Who is promised something is refused nothing that the next one of its kin could not have; all else holds for the next one too. */
function isSharedByKin(wait: WaitReason): boolean {
  switch (wait.kind) {
    case 'InsufficientGpus':
    case 'LevelTooSmall':
    case 'NoSuchGpuModel':
    case 'NoSuchGpuProfile':
    case 'QueueHeld':
    case 'QueueLimit':
    case 'UserLimit':
    case 'UserMaxRunning':
    case 'ArrayParallelism':
      return true;
    case 'Reservation':
      return wait.atMs === undefined;
    default:
      return false;
  }
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

function lookAt(pass: Pass, job: JobView): PlacementDecision {
  if (isAtLimit(pass)) {
    pass.isCut = true;
    return refuse(pass, job, { kind: 'PassLimit' });
  }
  const decision = decide(pass, job);
  if (decision.ok) place(pass, job, decision);
  else refuse(pass, job, decision.wait);
  return decision;
}

function refuse(pass: Pass, job: JobView, wait: WaitReason): PlacementDecision {
  pass.waits.set(job.uid, wait);
  return { ok: false, wait };
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
  // As the smallest gang it may wait for a level that the whole one does not fit.
  const least = atLeast(job);
  noteWake(pass, widensAtMs(pass.cluster, least, pass.turn.context.nowMs));
  const recalled = decision.recall === undefined ? null : pass.spares.recall(least, decision.recall, preemption);
  const nominated = recalled ?? (isShortage(decision.wait) ? (preemption.nominate(least) ?? pass.consolidation.nominate(least)) : null);
  if (nominated === null) return { ok: false, wait: backfill.promise(least, decision.wait, preemption.leavingFor(least)) };
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
  emitPlaced(pass.turn, job, decision);
  pass.cluster.take(job, decision);
  pass.spares.started(job, decision.placement, decision.isLent === true);
  pass.preemption.noteStart();
  pass.placed += 1;
}
