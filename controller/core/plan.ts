import type { Verdict } from '#vocabulary/verdict.ts';
import type { Context } from './context.ts';
import type { Reply, Request } from './inputs.ts';
import { expandArray } from './jobs/arrays.ts';
import { newJob } from './jobs/applyJob.ts';
import { onApplyJob } from './jobs/onApplyJob.ts';
import { onApplyQueue } from './queues/onRequest.ts';
import { onApplyReservation } from './reservations/onRequest.ts';
import type { PlacementDecision } from './schedule/decidePlacement.ts';
import { planPass } from './schedule/pass.ts';
import type { LastPass } from './schedule/explain/explainWait.ts';
import { explainWait } from './schedule/explain/explainWait.ts';
import type { JobView, StateView } from './state/view.ts';
import type { Turn } from './turn.ts';

/** What applying a job would come to now, by the functions that decide for real; nothing changes. */
export interface JobPlan {
  readonly reply: Reply;
  /** null when it would be refused, or exists already. */
  readonly decision: PlacementDecision | null;
  /** As it would be then; null with `decision`. */
  readonly job: JobView | null;
}

export function planJob(state: StateView, request: Extract<Request, { kind: 'applyJob' }>, context: Context): JobPlan {
  const dry: Turn = { state, context, emit: () => undefined };
  const reply = onApplyJob(dry, request);
  if (reply.kind !== 'applied' || reply.outcome !== 'created') return { reply, decision: null, job: null };
  // Of an array, its first job.
  const [first] = expandArray(request);
  const { name, spec, task } = first ?? { ...request, task: null };
  const job = newJob({ ...request, name, spec, ...(task === null ? {} : { array: task }), atMs: context.nowMs }, state.revision);
  return { reply, decision: planPass(dry, job), job };
}

/** Why the job would wait; null: it would not. */
export function explainPlan(state: StateView, lastPass: LastPass, { job, decision }: JobPlan, context: Context): Verdict | null {
  if (job === null || decision === null || decision.ok) return null;
  const waits = new Map(lastPass.waits).set(job.uid, decision.wait);
  return explainWait(state, { waits, atMs: context.nowMs }, job, context);
}

/** What applying a reservation would be answered now. */
export function planReservation(state: StateView, request: Extract<Request, { kind: 'applyReservation' }>, context: Context): Reply {
  return onApplyReservation({ state, context, emit: () => undefined }, request);
}

/** What applying a queue would be answered now. */
export function planQueue(state: StateView, request: Extract<Request, { kind: 'applyQueue' }>, context: Context): Reply {
  return onApplyQueue({ state, context, emit: () => undefined }, request);
}
