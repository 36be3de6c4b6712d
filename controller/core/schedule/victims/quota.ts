import type { QueueName } from '#vocabulary/ids.ts';
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
 * Adds to those who leave until every limit has room: cheapest first, then gives back whom the others make up for. null: not
 * possible. The entitlement is as before.
 */
export function coverDeficits(
  leaving: readonly Evictable[],
  search: {
    readonly deficits: readonly Deficit[];
    readonly evictable: readonly Evictable[];
    readonly milliOf: (each: Evictable) => number;
    readonly entitlement: Entitlement;
  },
): readonly Evictable[] | null {
  const { evictable, milliOf, entitlement } = search;
  const needed = Math.max(0, ...search.deficits.map((deficit) => deficit.gpuMilli));
  const all = new Set(leaving);
  for (const each of leaving) entitlement.give(each);
  let freed = leaving.reduce((sum, each) => sum + milliOf(each), 0);
  const added: Evictable[] = [];
  for (const each of [...evictable].sort(cheapestFirst)) {
    if (freed >= needed) break;
    if (all.has(each) || !entitlement.give(each)) continue;
    all.add(each);
    added.push(each);
    freed += milliOf(each);
  }
  for (const each of added.toReversed()) {
    if (freed - milliOf(each) < needed) continue;
    freed -= milliOf(each);
    all.delete(each);
    entitlement.takeBack(each);
  }
  for (const each of all) entitlement.takeBack(each);
  return freed >= needed ? [...all] : null;
}

/** For any model. */
export function hasGuarantee({ queues }: Pick<StateView, 'queues'>, queue: QueueName): boolean {
  return Object.values(queues.get(queue)?.spec.guaranteed ?? {}).some((gpus) => gpus > 0);
}
