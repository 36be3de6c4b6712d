import type { JobUid, QueueName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import type { StateView } from '../../state/view.ts';
import type { Entitlement, Evictable } from './evictable.ts';
import { cheapestFirst } from './evictable.ts';

/**
 * A full limit is a shortage like full nodes: a queue that is guaranteed its share below a parent without any room left
 * gets it back from those who borrow there. Somebody below the limited queue has to leave, enough of them, whether or not
 * their GPUs are the ones that the nominee will stand on.
 */
export interface Deficit {
  readonly queue: QueueName;
  /** More than the limit allows, with the nominee in. */
  readonly gpuMilli: number;
}

/** Of the nominee's queue and those above it, innermost first. */
export function findDeficits(queues: StateView['queues'], book: EntitlementBook, nominee: Claim): readonly Deficit[] {
  const { model } = nominee;
  if (model === null) return [];
  return book.tree.chain(nominee.queue).flatMap((queue) => {
    const limit = queues.get(queue)?.spec.limit[model];
    if (limit === undefined) return [];
    const gpuMilli = book.heldMilli(queue, model) + nominee.gpuMilli - limit * gpuMilliPerGpu;
    return gpuMilli > 0 ? [{ queue, gpuMilli }] : [];
  });
}

/** Whether the victim's leaving makes room under every one of the limits. */
export const countsFor = (book: EntitlementBook, victim: Claim, deficits: readonly Deficit[]): boolean =>
  deficits.every(({ queue }) => book.tree.chain(victim.queue).includes(queue));

/**
 * Adds to the victims until every limit has room: cheapest first, then gives back whom the others make up for. null: not
 * possible. The entitlement is as before.
 */
export function coverDeficits(
  victims: readonly JobUid[],
  search: {
    readonly deficits: readonly Deficit[];
    readonly evictable: readonly Evictable[];
    readonly claims: ReadonlyMap<JobUid, Claim>;
    readonly entitlement: Entitlement;
  },
): readonly JobUid[] | null {
  const { evictable, claims, entitlement } = search;
  const needed = Math.max(0, ...search.deficits.map((deficit) => deficit.gpuMilli));
  const milliOf = (job: JobUid): number => claims.get(job)?.gpuMilli ?? 0;
  const leaving = new Set(victims);
  for (const job of victims) entitlement.give(job);
  let freed = victims.reduce((sum, job) => sum + milliOf(job), 0);
  const added: Evictable[] = [];
  for (const each of [...evictable].sort(cheapestFirst)) {
    if (freed >= needed) break;
    if (leaving.has(each.job) || !entitlement.give(each.job)) continue;
    leaving.add(each.job);
    added.push(each);
    freed += milliOf(each.job);
  }
  for (const each of added.toReversed()) {
    if (freed - milliOf(each.job) < needed) continue;
    freed -= milliOf(each.job);
    leaving.delete(each.job);
    entitlement.takeBack(each.job);
  }
  for (const job of leaving) entitlement.takeBack(job);
  return freed >= needed ? [...leaving].sort() : null;
}
