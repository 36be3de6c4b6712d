import { milliOf } from './jobs/size.ts';
import type { JobName, JobUid, QueueName, UserName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Verdict } from '#vocabulary/verdict.ts';
import type { Waits } from './schedule/waiting/waits.ts';
import type { Context } from './context.ts';
import type { Input, Reply, Request } from './inputs.ts';
import { expandArray } from './jobs/arrays.ts';
import type { PlacementDecision } from './schedule/decidePlacement.ts';
import { leavingCost } from './schedule/victims/costs.ts';
import { forkState } from './state/fork.ts';
import { currentAttempt } from './state/state.ts';
import type { AttemptView, StateView } from './state/view.ts';
import { step } from './step.ts';
import { explainWait } from './schedule/explain/explainWait.ts';

/** A manifest that somebody may want to apply. */
export type Wanted = Extract<Request, { kind: 'applyJob' | 'applyQueue' | 'applyReservation' }>;

/** What applying one would come to. */
export interface Plan {
  readonly reply: Reply;
  /** Of an array, its first job; null: it makes no new job. */
  readonly uid: JobUid | null;
  /** null when there is no new job. */
  readonly decision: PlacementDecision | null;
  /** Where it starts when those have left who are asked for it; null: it starts now, or nobody is asked. */
  readonly promised: { readonly placement: Placement; readonly model: string | null } | null;
  /** Who would be asked to leave for it, by name. */
  readonly displaced: readonly Displaced[];
}

/** A job that would be asked to leave, and what it would lose. */
export interface Displaced {
  readonly name: JobName;
  readonly queue: QueueName;
  readonly user: UserName;
  readonly gpuMilli: number;
  /** Work since its last checkpoint, and the restart, in milli-GPU-milliseconds: lost if it cannot save in its grace. */
  readonly lost: number;
  /** A place elsewhere is kept for it: it goes on there at once. */
  readonly moves: boolean;
}

/** Plays on somebody's copy of the state: as `Forecast` does, or by one step. */
export interface Stage {
  readonly state: StateView;
  readonly waits: Waits;
  offer(inputs: readonly Input[]): readonly Reply[];
}

/** What applying a job would come to now; nothing changes. Refused, or there already: no decision. */
export function planJob(state: StateView, request: Extract<Request, { kind: 'applyJob' }>, context: Context): Plan {
  const [plan] = planOn(openStage(state, context), [request], context);
  return plan ?? { reply: { kind: 'noted' }, ...nothing };
}

/** All together, as one apply would bring them: each sees those before it. The stage goes on from there. */
export function planOn(stage: Stage, wanted: readonly Wanted[], { nowMs, policy }: Context): readonly Plan[] {
  const losses = new Map<JobUid, number>();
  for (const job of stage.state.jobs.values()) {
    const attempt = currentAttempt(job);
    if (attempt !== undefined) losses.set(job.uid, leavingCost(job, attempt, nowMs, policy.restartCostMs));
  }
  const replies = stage.offer(wanted);
  return wanted.map((request, at): Plan => {
    const reply = replies[at] ?? { kind: 'noted' };
    if (request.kind !== 'applyJob' || reply.kind !== 'applied' || reply.outcome !== 'created') return { reply, ...nothing };
    return { reply, ...planOf(stage, expandArray(request)[0]?.uid ?? request.uid, losses) };
  });
}

/** Why the planned job would wait; null: it would not. To be asked before the stage goes on. */
export function explainPlan({ state, waits }: Stage, { uid, decision }: Plan, context: Context): Verdict | null {
  const job = uid === null ? undefined : state.jobs.get(uid);
  return job === undefined || decision?.ok !== false ? null : explainWait(state, { waits, atMs: context.nowMs }, job, context);
}

const nothing = { uid: null, decision: null, promised: null, displaced: [] } as const;

function planOf({ state, waits }: Stage, uid: JobUid, losses: ReadonlyMap<JobUid, number>): Omit<Plan, 'reply'> {
  const job = state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (attempt !== undefined) return { uid, decision: decisionOf(attempt), promised: null, displaced: [] };
  const decision = { ok: false, wait: waits.get(uid) ?? { kind: 'PassLimit' } } as const;
  const nomination = job?.nomination ?? null;
  if (nomination === null) return { uid, decision, promised: null, displaced: [] };
  const { placement, model, victims } = nomination;
  return { uid, decision, promised: { placement, model }, displaced: victims.flatMap((victim) => displacedOf(state, victim, losses)) };
}

function decisionOf({ placement, model, mesh }: AttemptView): Extract<PlacementDecision, { ok: true }> {
  return { ok: true, placement, model, ...(mesh === null ? {} : { mesh }) };
}

function displacedOf(state: StateView, uid: JobUid, losses: ReadonlyMap<JobUid, number>): readonly Displaced[] {
  const job = state.jobs.get(uid);
  if (job === undefined) return [];
  const { name, user, spec, move } = job;
  return [{ name, user, queue: spec.queue, gpuMilli: milliOf(job), lost: losses.get(uid) ?? 0, moves: move?.kind === 'asked' }];
}

/** A fork that is stepped at one moment until nothing more is to be decided. */
function openStage(state: StateView, context: Context): Stage {
  const fork = forkState(state);
  let waits: Waits = new Map();
  return {
    state: fork,
    get waits() {
      return waits;
    },
    offer: (inputs) => {
      let result = step(fork, inputs, context);
      const { replies } = result;
      for (let rounds = 0; result.more && rounds < roundsMax; rounds += 1) {
        waits = result.waits ?? waits;
        result = step(fork, [], context);
      }
      waits = result.waits ?? waits;
      return replies;
    },
  };
}

/** A pass at its limit is followed by another one: so many jobs are placed by none. */
const roundsMax = 64;
