import type { Context } from './context.ts';
import type { Reply, Request } from './inputs.ts';
import { expandArray } from './jobs/arrays.ts';
import { onApplyJob } from './jobs/onApplyJob.ts';
import { judgeReadiness } from './jobs/readiness.ts';
import { onApplyQueue } from './queues/onRequest.ts';
import type { PlacementDecision } from './schedule/decidePlacement.ts';
import { decidePlacement } from './schedule/decidePlacement.ts';
import { openRoom } from './schedule/clusterRoom.ts';
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
  const { uid, user, spec, task } = first ?? { ...request, task: null };
  const candidate = { user, spec, attempts: [], held: null, array: task };
  const notReady = judgeReadiness(state, candidate, context.nowMs);
  if (notReady !== null) return { reply, decision: { ok: false, wait: notReady } };
  const cluster = openRoom(state, context.policy.levels);
  const preemption = new Preemption(dry, cluster);
  for (const nominee of preemption.nominees()) preemption.hold(nominee);
  const decision = decidePlacement(state, cluster, candidate, new Map());
  const wait = !decision.ok && isShortage(decision.wait) ? preemption.nominate({ uid, user, spec }) : null;
  preemption.end();
  return { reply, decision: wait === null ? decision : { ok: false, wait } };
}

/** What applying a queue would be answered now. */
export function planQueue(state: StateView, request: Extract<Request, { kind: 'applyQueue' }>, context: Context): Reply {
  return onApplyQueue({ state, context, emit: () => undefined }, request);
}
