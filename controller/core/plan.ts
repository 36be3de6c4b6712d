import type { Context } from './context.ts';
import type { Reply, Request } from './inputs.ts';
import { expandArray } from './jobs/arrays.ts';
import { onApplyJob } from './jobs/onApplyJob.ts';
import { judgeReadiness } from './jobs/readiness.ts';
import { onApplyQueue } from './queues/onRequest.ts';
import type { Candidate, PlacementDecision } from './schedule/decidePlacement.ts';
import { decidePlacement } from './schedule/decidePlacement.ts';
import { openRoom } from './schedule/clusterRoom.ts';
import { KeptPlaces } from './schedule/consolidate/keptPlaces.ts';
import type { Nominee } from './schedule/preempt.ts';
import { isShortage, Preemption } from './schedule/preempt.ts';
import type { StateView } from './state/view.ts';
import type { Turn } from './turn.ts';

/** What applying a job would come to now, by the functions that decide for real; nothing changes. */
export interface JobPlan {
  readonly reply: Reply;
  /** null when it would be refused, or exists already. */
  readonly decision: PlacementDecision | null;
}

export function planJob(state: StateView, request: Extract<Request, { kind: 'applyJob' }>, context: Context): JobPlan {
  const dry: Turn = { state, context, emit: () => undefined };
  const reply = onApplyJob(dry, request);
  if (reply.kind !== 'applied' || reply.outcome !== 'created') return { reply, decision: null };
  // Of an array, its first job.
  const [first] = expandArray(request);
  const { user, spec, task } = first ?? { ...request, task: null };
  const candidate = { uid: request.uid, user, spec, attempts: [], held: null, array: task };
  const wait = judgeReadiness(state, candidate, context.nowMs);
  if (wait !== null) return { reply, decision: { ok: false, wait } };
  return { reply, decision: decideAmongOthers(dry, candidate) };
}

/** Where it would go, or whom it would wait for, with what is kept for nominees out of reach. */
function decideAmongOthers(dry: Turn, candidate: Candidate & Nominee): PlacementDecision {
  const cluster = openRoom(dry.state, dry.context.policy.levels);
  const kept = new KeptPlaces(dry, cluster);
  kept.keepAll();
  const preemption = new Preemption(dry, cluster);
  for (const nominee of preemption.nominees()) preemption.hold(nominee);
  const decision = decidePlacement(dry.state, cluster, candidate, { failed: new Map(), nowMs: dry.context.nowMs });
  const wait = !decision.ok && isShortage(decision.wait) ? preemption.nominate(candidate) : null;
  preemption.end();
  kept.end();
  return wait === null ? decision : { ok: false, wait };
}

/** What applying a queue would be answered now. */
export function planQueue(state: StateView, request: Extract<Request, { kind: 'applyQueue' }>, context: Context): Reply {
  return onApplyQueue({ state, context, emit: () => undefined }, request);
}
