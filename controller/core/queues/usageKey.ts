import type { QueueName, UserName } from '#vocabulary/ids.ts';

/** Under this name instead of a model, running jobs are counted. No GPU model has brackets. */
export const runningJobs = '(jobs)';

/** Keys of `State.usage` and `State.past`. Names of queues and models have no blanks, so that no two keys are the same. */
export const usageKey = {
  /** A queue with all below it. */
  queue: (queue: QueueName, model: string): string => keysOf(queue).queue(model),
  /** Jobs of the queue itself, without those of queues below it. */
  own: (queue: QueueName, model: string): string => keysOf(queue).own(model),
  user: (queue: QueueName, user: UserName, model: string): string => keysOf(queue).user(user)(model),
};

interface QueueKeys {
  readonly queue: (model: string) => string;
  readonly own: (model: string) => string;
  readonly user: (user: UserName) => (model: string) => string;
}

/** Every placement asks for several keys: each is printed once. */
const keysOf = once(
  (queue: QueueName): QueueKeys => ({
    queue: once((model: string) => `queue ${queue} ${model}`),
    own: once((model: string) => `own ${queue} ${model}`),
    user: once((user: UserName) => once((model: string) => `user ${queue} ${user} ${model}`)),
  }),
);

/** What one function remembers; then it forgets all, since names may come and go for years. */
const rememberedMax = 512;

function once<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    if (known.size >= rememberedMax) known.clear();
    const made = make(key);
    known.set(key, made);
    return made;
  };
}

export function isKeyOf(queue: QueueName, key: string): boolean {
  return ['queue', 'own', 'user'].some((kind) => key.startsWith(`${kind} ${queue} `));
}
