import type { QueueName, UserName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { StateView } from '../state/view.ts';

/**
 * Who holds how many GPUs of which model, and whether a queue's limits let a job hold more. A queue counts all below it.
 * Amounts are whole GPUs; running jobs of a user in a queue are counted under the model `jobs`.
 */
const runningJobs = '(jobs)';
const queueKey = (queue: QueueName, model: string): string => `queue ${queue} ${model}`;
const userKey = (queue: QueueName, user: UserName, model: string): string => `user ${queue} ${user} ${model}`;

interface Holding {
  readonly queue: QueueName;
  readonly user: UserName;
  readonly model: string | null;
  readonly gpus: number;
}

/** Adds (`sign` 1) or takes back (-1) what an attempt holds. The ancestors are those of now: a queue never changes its parent. */
export function countUsage(
  state: { readonly usage: Map<string, number>; readonly queues: StateView['queues'] },
  holding: Holding,
  sign: 1 | -1,
): void {
  const add = (key: string, amount: number): void => {
    const sum = (state.usage.get(key) ?? 0) + sign * amount;
    if (sum === 0) state.usage.delete(key);
    else state.usage.set(key, sum);
  };
  add(userKey(holding.queue, holding.user, runningJobs), 1);
  if (holding.model === null) return;
  add(userKey(holding.queue, holding.user, holding.model), holding.gpus);
  for (const queue of withAncestors(state.queues, holding.queue)) add(queueKey(queue, holding.model), holding.gpus);
}

export function queueUsage(state: Pick<StateView, 'usage'>, queue: QueueName, model: string): number {
  return state.usage.get(queueKey(queue, model)) ?? 0;
}

/** The first limit that would be broken by holding `spec`'s GPUs of this model; null when none. */
export function findBrokenLimit(
  state: StateView,
  job: { readonly user: UserName; readonly spec: JobSpec },
  model: string | null,
): WaitReason | null {
  const { user, spec } = job;
  const wanted = spec.workers * spec.gpusPerWorker;
  const perUser = state.queues.get(spec.queue)?.spec.perUser;
  const running = state.usage.get(userKey(spec.queue, user, runningJobs)) ?? 0;
  if (perUser?.maxRunning !== undefined && perUser.maxRunning !== null && running + 1 > perUser.maxRunning) {
    return { kind: 'UserMaxRunning', queue: spec.queue, user, limit: perUser.maxRunning };
  }
  if (model === null) return null;
  const userLimit = perUser?.limit[model];
  const userUsed = state.usage.get(userKey(spec.queue, user, model)) ?? 0;
  if (userLimit !== undefined && userUsed + wanted > userLimit) {
    return { kind: 'UserLimit', queue: spec.queue, user, model, limit: userLimit, used: userUsed, wanted };
  }
  for (const queue of withAncestors(state.queues, spec.queue)) {
    const limit = state.queues.get(queue)?.spec.limit[model];
    const used = queueUsage(state, queue, model);
    if (limit !== undefined && used + wanted > limit) return { kind: 'QueueLimit', queue, model, limit, used, wanted };
  }
  return null;
}

/** The queue, its parent, and so on to the root. */
export function withAncestors(queues: StateView['queues'], start: QueueName): readonly QueueName[] {
  const chain: QueueName[] = [];
  for (let name: QueueName | null = start; name !== null && !chain.includes(name); name = queues.get(name)?.spec.parent ?? null)
    chain.push(name);
  return chain;
}
