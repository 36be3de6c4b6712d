import type { Claim } from '../../queues/entitlement.ts';
import type { Evictable } from './evictable.ts';

/** Among those of the nominee's own priority, who has had most leaves first, whatever it costs (decision 0013). */
export function inTurn(nominee: Claim, { queue, priority, standing }: Claim, evictable: Evictable): Evictable {
  const isInTurn = queue === nominee.queue && priority === nominee.priority;
  return isInTurn ? { ...evictable, priority: priority + 1 / (standing.level + 2) } : evictable;
}
