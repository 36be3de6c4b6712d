import type { JobUid } from '#vocabulary/ids.ts';
import type { Claim } from '../../queues/entitlement.ts';
import { milliOf } from '../../jobs/size.ts';
import type { Standings } from '../../queues/standing.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';
import { leavingCost } from './costs.ts';
import type { Evictable } from './evictable.ts';

/** A job that holds GPUs, as somebody sees it who wants them. */
export interface Running {
  readonly victim: JobView;
  readonly claim: Claim;
  readonly evictable: Evictable;
}

/** All of them, by uid: a walk over the cluster. */
export function readRunning({ state, context }: Turn, capacity: Capacity, standings: Standings): readonly Running[] {
  const running = [...holdsByOwner(capacity)].flatMap(([uid, holds]): readonly Running[] => {
    const victim = state.jobs.get(uid);
    const attempt = victim === undefined ? undefined : currentAttempt(victim);
    if (victim === undefined || attempt === undefined) return [];
    const cost = leavingCost(victim, attempt, context.nowMs, context.policy.restartCostMs);
    const evictable = { job: uid, holds, cost, priority: victim.spec.priority };
    return [{ victim, claim: { ...claimOf(victim, attempt.model), standing: standings.running(victim, attempt) }, evictable }];
  });
  return running.sort((left, right) => (left.victim.uid < right.victim.uid ? -1 : 1));
}

/** Those that have ever saved, in no order. */
export function readSaved({ state }: Turn, standings: Standings): readonly Pick<Running, 'victim' | 'claim'>[] {
  return [...state.saved].flatMap((uid) => {
    const victim = state.jobs.get(uid);
    const attempt = victim === undefined ? undefined : currentAttempt(victim);
    if (victim === undefined || attempt === undefined) return [];
    return [{ victim, claim: { ...claimOf(victim, attempt.model), standing: standings.running(victim, attempt) } }];
  });
}

export function holdsByOwner(capacity: Capacity): ReadonlyMap<JobUid, readonly Hold[]> {
  const holds = new Map<JobUid, Hold[]>();
  for (let node = 0; node < capacity.nodes; node += 1) {
    for (const hold of capacity.holdsOf(node)) {
      if (hold.owner === null) continue;
      const known = holds.get(hold.owner);
      if (known === undefined) holds.set(hold.owner, [hold]);
      else known.push(hold);
    }
  }
  return holds;
}

/** All that the job has, or wants, on GPUs of this model. */
export function claimOf(job: Parameters<typeof milliOf>[0] & Pick<JobView, 'user'>, model: string | null): Omit<Claim, 'standing'> {
  const { queue, priority, preemptible } = job.spec;
  return { queue, user: job.user, priority, preemptible, model, gpuMilli: milliOf(job) };
}

export function isLeaving(job: JobView | undefined): boolean {
  const stage = job === undefined ? undefined : currentAttempt(job)?.stage.kind;
  return stage === 'suspending' || stage === 'stopping';
}

/** What it holds will be free: it does not come back there at once with another number of workers. */
export const leavesForGood = (job: JobView | undefined): boolean => isLeaving(job) && (job === undefined || !isResizing(job));

/** It leaves, or has left, to come back with another number of workers. */
export function isResizing(job: JobView): boolean {
  const stage = currentAttempt(job)?.stage;
  return job.move?.kind === 'asked' && stage?.kind === 'suspending' && stage.reason === 'Resized';
}
