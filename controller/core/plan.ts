import type { Context } from './context.ts';
import type { Reply, Request } from './inputs.ts';
import { onApplyJob } from './jobs/onRequest.ts';
import { onApplyQueue } from './queues/onRequest.ts';
import type { PlacementDecision } from './schedule/decidePlacement.ts';
import { decidePlacement } from './schedule/decidePlacement.ts';
import { openRoom } from './schedule/clusterRoom.ts';
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
  const candidate = { user: request.user, spec: request.spec, attempts: [] };
  return { reply, decision: decidePlacement(state, openRoom(state, context.policy.levels), candidate, new Map()) };
}

/** What applying a queue would be answered now. */
export function planQueue(state: StateView, request: Extract<Request, { kind: 'applyQueue' }>, context: Context): Reply {
  return onApplyQueue({ state, context, emit: () => undefined }, request);
}
