import { milliOf } from '../../jobs/size.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { QueueStanding, UserStanding } from '#vocabulary/verdict.ts';
import { modelsPresent } from '../../jobs/emptyRoom.ts';
import { FairOrder } from '../../queues/fairOrder.ts';
import { QueueTree } from '../../queues/queueTree.ts';
import { capacityMilliOf, queueShare } from '../../queues/share.ts';
import { queueGpuMilli } from '../../queues/usage.ts';
import { runningJobs, usageKey } from '../../queues/usageKey.ts';
import { UserShares } from '../../queues/userShare.ts';
import type { JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import { modelsOf } from '../turnOrder.ts';

/** The quota tree from the job's queue up, with the numbers that the order compared. `order`: all that wait, as they are looked at. */
export function queueStandings(
  { state, context }: Turn,
  job: JobView,
  order: readonly JobView[],
  models: readonly string[],
): readonly QueueStanding[] {
  const fair = new FairOrder({ state, capacityMilli: capacityMilliOf(state), nowMs: context.nowMs });
  const present = modelsPresent(state);
  const compared = order.filter(({ nomination, next }) => nomination === null && next === null);
  const lines = Map.groupBy(compared, ({ spec }) => spec.queue);
  if (!lines.has(job.spec.queue)) lines.set(job.spec.queue, [job]);
  for (const [queue, [first]] of lines) if (first !== undefined) fair.open(queue, modelsOf(first, present), milliOf(first));
  const tree = new QueueTree(state.queues);
  return fair.standing(job.spec.queue).map((standing) => {
    const spec = state.queues.get(standing.name)?.spec;
    return {
      ...standing,
      share: queueShare(state, standing.name, capacityMilliOf(state), context.nowMs),
      isHeld: spec?.hold === true,
      weight: spec?.weight ?? 1,
      quotas: models.map((model) => ({
        model,
        used: queueGpuMilli(state, standing.name, model) / gpuMilliPerGpu,
        guaranteed: tree.guaranteed(standing.name, model),
        limit: spec?.limit[model] ?? null,
      })),
    };
  });
}

export function userStanding({ state, context }: Turn, { user, spec }: JobView, models: readonly string[]): UserStanding {
  const { queue } = spec;
  const perUser = state.queues.get(queue)?.spec.perUser;
  const shares = new UserShares({ state, capacityMilli: capacityMilliOf(state), nowMs: context.nowMs }, queue, [user]);
  return {
    name: user,
    share: shares.shareOf(user),
    running: state.usage.get(usageKey.user(queue, user, runningJobs)) ?? 0,
    maxRunning: perUser?.maxRunning ?? null,
    limits: models.map((model) => ({
      model,
      used: (state.usage.get(usageKey.user(queue, user, model)) ?? 0) / gpuMilliPerGpu,
      limit: perUser?.limit[model] ?? null,
    })),
  };
}
