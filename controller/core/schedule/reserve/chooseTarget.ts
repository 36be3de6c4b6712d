import type { JobUid } from '#vocabulary/ids.ts';
import { findBrokenLimit } from '../../queues/usage.ts';
import { currentAttempt } from '../../state/state.ts';
import type { StateView } from '../../state/view.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import type { Candidate } from '../decidePlacement.ts';
import { modelsFor } from '../decidePlacement.ts';
import type { Spot } from '../gang/gangRequest.ts';
import { requestOf } from '../requestOf.ts';
import type { Evictable } from '../victims/evictable.ts';
import { chooseVictims } from '../victims/chooseVictims.ts';
import { holdsByOwner } from '../victims/running.ts';
import type { Promises } from './promises.ts';

export interface TargetPlace {
  readonly spots: readonly Spot[];
  readonly model: string | null;
}

interface Aim {
  readonly state: StateView;
  /** As the state's, with the quota that others were promised: a model that a limit keeps the job from is no target. */
  readonly usage: Pick<StateView['usage'], 'get'>;
  readonly cluster: ClusterRoom;
  readonly promises: Promises;
}

/** What nobody promised is taken to go on as long as it went so far, and at least so long. */
const remainderLeastMs = 10 * 60_000;

/**
 * The place that is expected to be empty first if nobody new comes there: the least GPU time is still to be run on it. Who
 * promised an end leaves then; of everybody else it is expected that half of its time is over. GPUs promised to others are
 * left out. Null: even with all gone who may go it does not fit. Changes nothing.
 */
export function chooseTarget({ state, usage, cluster, promises }: Aim, job: Candidate, nowMs: number): TargetPlace | null {
  promises.show(promises.all.length);
  const running = runningOn(state, cluster, promises, nowMs);
  let best: (TargetPlace & { readonly cost: number }) | null = null;
  for (const model of modelsFor(cluster.room, job, [])) {
    if (findBrokenLimit({ queues: state.queues, usage }, job, model) !== null) continue;
    const plan = chooseVictims(cluster.room, requestOf(cluster, job, model, nowMs), running, {
      give: () => true,
      takeBack: () => undefined,
    });
    const [spots] = plan?.spots ?? [];
    if (plan !== null && spots !== undefined && (best === null || plan.cost < best.cost)) best = { spots, model, cost: plan.cost };
  }
  return best;
}

function runningOn(state: StateView, cluster: ClusterRoom, promises: Promises, nowMs: number): readonly Evictable[] {
  return [...holdsByOwner(cluster.room.capacity)]
    .filter(([, held]) => !promises.touches(held))
    .map(([job, held]) => ({ job, holds: held, cost: remainderMs(state, job, nowMs) * gpuMilliOf(held), priority: 0 }))
    .sort((left, right) => (left.job < right.job ? -1 : 1));
}

const gpuMilliOf = (holds: readonly Hold[]): number => holds.reduce((sum, { gpus, gpuMilli }) => sum + gpus.length * gpuMilli, 0);

/** 1 ms or more. */
function remainderMs(state: StateView, uid: JobUid, nowMs: number): number {
  const endMs = state.endings.atMs.get(uid);
  if (endMs !== undefined) return Math.max(1, endMs - nowMs);
  const job = state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  return Math.max(remainderLeastMs, nowMs - (attempt?.placedAtMs ?? nowMs));
}
