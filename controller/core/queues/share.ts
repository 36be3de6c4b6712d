import type { QueueName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { perTopology } from '../state/perTopology.ts';
import type { StateView } from '../state/view.ts';
import { pastGpuMilli } from './pastUsage.ts';
import { usageKey } from './usageKey.ts';

/**
 * Shares of the cluster, as dominant-resource fairness has them (Ghodsi et al., NSDI 2011), with GPU models as the
 * resources:
 *
 *     share(queue) = max over models of counted(queue, model) / capacity(model)
 *     counted      = held                    without a half-life
 *                  = (held + past) / 2       with one; past is the decayed average holding (pastUsage.ts)
 *
 * The mean and not the sum, so that a queue that always holds the same has the same share with and without a half-life,
 * and siblings of both kinds can be compared. Past usage of serving queues does not count.
 */
export interface Usage {
  readonly heldMilli: number;
  /** null: past usage does not count. */
  readonly pastMilli: number | null;
}

/** By model; a model without capacity (all its nodes are gone) says nothing. 0..1, and more while a past was larger than what is there. */
export function dominantShare(usage: ReadonlyMap<string, Usage>, capacityMilli: ReadonlyMap<string, number>): number {
  let share = 0;
  for (const [model, one] of usage) share = Math.max(share, shareOfModel(one, capacityMilli.get(model) ?? 0));
  return share;
}

export function shareOfModel({ heldMilli, pastMilli }: Usage, capacityMilli: number): number {
  const counted = pastMilli === null ? heldMilli : (heldMilli + pastMilli) / 2;
  return capacityMilli > 0 && counted > 0 ? counted / capacityMilli : 0;
}

/** What the comparison is by: the share for each unit of weight. A weight of 0 does not divide; such queues come after all others. */
export const weighted = (share: number, weight: number): number => (weight === 0 ? share : share / weight);

export type UsageState = Pick<StateView, 'queues' | 'usage' | 'past'>;

/** What stands under the key of each model in `models`, as of `nowMs`. */
export function readUsage(
  state: UsageState,
  of: { readonly queue: QueueName; readonly key: (model: string) => string; readonly countsPast: boolean },
  models: Iterable<string>,
  nowMs: number,
): Map<string, { heldMilli: number; readonly pastMilli: number | null }> {
  const countsPast = of.countsPast && (state.queues.get(of.queue)?.spec.halfLifeMs ?? null) !== null;
  const usage = new Map<string, { heldMilli: number; readonly pastMilli: number | null }>();
  for (const model of models) {
    const key = of.key(model);
    const heldMilli = state.usage.get(key) ?? 0;
    const pastMilli = countsPast ? pastGpuMilli(state, { queue: of.queue, key }, nowMs) : null;
    if (heldMilli !== 0 || pastMilli !== null) usage.set(model, { heldMilli, pastMilli });
  }
  return usage;
}

/** The weighted dominant share of one queue with all below it, for people. */
export function queueShare(state: UsageState, queue: QueueName, capacityMilli: ReadonlyMap<string, number>, nowMs: number): number {
  const spec = state.queues.get(queue)?.spec;
  const of = { queue, key: (model: string) => usageKey.queue(queue, model), countsPast: spec?.class !== 'serving' };
  return weighted(dominantShare(readUsage(state, of, capacityMilli.keys(), nowMs), capacityMilli), spec?.weight ?? 1);
}

/** All GPUs in the inventory by model, in order of model: also broken and cordoned ones, so that a fault moves nobody's share. */
export const capacityMilliOf = perTopology(({ nodes }): ReadonlyMap<string, number> => {
  const capacity = new Map<string, number>();
  for (const node of nodes.values()) {
    for (const { model } of node.inventory.gpus) capacity.set(model, (capacity.get(model) ?? 0) + gpuMilliPerGpu);
  }
  return new Map([...capacity].sort(([left], [right]) => (left < right ? -1 : 1)));
});
