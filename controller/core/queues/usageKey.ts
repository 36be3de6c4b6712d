import type { QueueName, UserName } from '#vocabulary/ids.ts';

/** Under this name instead of a model, running jobs are counted. No GPU model has brackets. */
export const runningJobs = '(jobs)';

/** Keys of `State.usage` and `State.past`. Names of queues and models have no blanks, so that no two keys are the same. */
export const usageKey = {
  /** A queue with all below it. */
  queue: (queue: QueueName, model: string): string => `queue ${queue} ${model}`,
  /** Jobs of the queue itself, without those of queues below it. */
  own: (queue: QueueName, model: string): string => `own ${queue} ${model}`,
  user: (queue: QueueName, user: UserName, model: string): string => `user ${queue} ${user} ${model}`,
};

export function isKeyOf(queue: QueueName, key: string): boolean {
  return ['queue', 'own', 'user'].some((kind) => key.startsWith(`${kind} ${queue} `));
}
