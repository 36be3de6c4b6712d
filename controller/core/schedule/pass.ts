import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { judgeReadiness, wakeAtMs } from '../jobs/readiness.ts';
import { dropNomination } from '../jobs/stop.ts';
import { Consolidation } from './consolidate/consolidation.ts';
import { KeptPlaces } from './consolidate/keptPlaces.ts';
import { emitPlaced } from './emitPlaced.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { openRoom } from './clusterRoom.ts';
import { isShortage, Preemption } from './preempt.ts';
import type { Failed, PlacementDecision } from './decidePlacement.ts';
import { decidePlacement } from './decidePlacement.ts';
import { widensAtMs } from './requestOf.ts';
import { TurnOrder } from './turnOrder.ts';

/**
 * One scheduling pass: nominees, then waiting jobs in fair order, each gang whole or not at all. A job that does not
 * fit does not hold up those behind it. The seam: whatever schedules takes a turn, emits AttemptPlaced and answers why
 * the others wait.
 */
export interface PassResult {
  /** Of every job that still waits. */
  readonly waits: ReadonlyMap<JobUid, WaitReason>;
  /** The pass stopped at its limit; another one is due at once. */
  readonly more: boolean;
  /** Another one is due then, though nothing else happens; null: time alone changes nothing. */
  readonly wakeAtMs: number | null;
  /** For State.movesFromMs. */
  readonly movesFromMs: number;
}

export function runPass(turn: Turn): PassResult {
  const cluster = openRoom(turn.state, turn.context.policy.levels);
  const [kept, preemption] = [new KeptPlaces(turn, cluster), new Preemption(turn, cluster)];
  const pass: Pass = {
    turn,
    cluster,
    preemption,
    consolidation: new Consolidation(turn, cluster, { preemption, kept }),
    failed: new Map(),
    waits: new Map(),
    placed: 0,
    wakeAtMs: null,
  };
  kept.keepAll();
  kept.settle((job, decision) => place(pass, job, decision));
  for (const job of kept.homeless) lookAt(pass, job);
  for (const nominee of pass.preemption.nominees()) lookAtNominee(pass, nominee);
  // What found no room for a nominee may find it in what was kept for those who run on.
  if (kept.forget()) pass.failed.clear();
  lookAtOthers(pass);
  pass.preemption.end();
  kept.end();
  noteWake(pass, pass.preemption.wakeAtMs);
  noteWake(pass, pass.consolidation.wakeAtMs);
  cluster.settle();
  const more = (pass.placed >= turn.context.policy.placementsPerStepMax && pass.waits.size > 0) || pass.consolidation.more;
  return { waits: pass.waits, more, wakeAtMs: pass.wakeAtMs, movesFromMs: pass.consolidation.nextSearchMs };
}

interface Pass {
  readonly turn: Turn;
  readonly cluster: ClusterRoom;
  readonly preemption: Preemption;
  readonly consolidation: Consolidation;
  readonly failed: Failed;
  readonly waits: Map<JobUid, WaitReason>;
  placed: number;
  /** When time alone lets a waiting job become a candidate. */
  wakeAtMs: number | null;
}

function lookAtOthers(pass: Pass): void {
  const { state, context } = pass.turn;
  const waiting = state.pending.flatMap((uid) => {
    const job = state.jobs.get(uid);
    return job !== undefined && job.nomination === null ? [job] : [];
  });
  const order = new TurnOrder(state, waiting, pass.cluster.room.capacity.models, context.nowMs);
  for (let job = order.next(); job !== null; job = order.next()) {
    const model = lookAt(pass, job);
    if (model !== null) order.gave(job, model);
  }
}

/** Victims that it did not need after all run on. */
function lookAtNominee(pass: Pass, job: JobView): void {
  // Held, or told to wait for another job, since it was nominated.
  if (!isReady(pass, job)) {
    dropNomination(pass.turn, job);
    return;
  }
  const victims = job.nomination?.victims ?? [];
  const decision = decidePlacement(pass.turn.state, pass.cluster, job, { failed: pass.failed, nowMs: pass.turn.context.nowMs });
  if (decision.ok) {
    place(pass, job, decision);
    pass.preemption.release(victims);
    return;
  }
  const wait = pass.preemption.hold(job);
  if (wait !== null) pass.waits.set(job.uid, wait);
}

/** The model that it was given, or promised; null: neither. */
function lookAt(pass: Pass, job: JobView): string | null {
  if (pass.placed >= pass.turn.context.policy.placementsPerStepMax) {
    pass.waits.set(job.uid, { kind: 'PassLimit' });
    return null;
  }
  if (!isReady(pass, job)) return null;
  const decision = decidePlacement(pass.turn.state, pass.cluster, job, { failed: pass.failed, nowMs: pass.turn.context.nowMs });
  if (decision.ok) {
    place(pass, job, decision);
    return decision.model;
  }
  noteWake(pass, widensAtMs(job, pass.turn.context.nowMs));
  const nominated = isShortage(decision.wait) ? (pass.preemption.nominate(job) ?? pass.consolidation.nominate(job)) : null;
  pass.waits.set(job.uid, nominated ?? decision.wait);
  return nominated === null ? null : (job.nomination?.model ?? null);
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
  emitPlaced(pass.turn, job, decision.placement, decision.model);
  pass.cluster.take(job, decision);
  pass.placed += 1;
}
