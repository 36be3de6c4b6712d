import type { QueueName } from '#vocabulary/ids.ts';
import type { StateView } from '../state/view.ts';
import { withAncestors } from './usage.ts';

/** The quota tree with what follows from it. Made for one pass or one check: it does not see later changes of the queues. */
export class QueueTree {
  readonly #queues: StateView['queues'];
  #children: ReadonlyMap<QueueName | null, readonly QueueName[]> | null = null;
  readonly #chains = new Map<QueueName, readonly QueueName[]>();
  readonly #guaranteed = new Map<string, Map<QueueName, number>>();

  constructor(queues: StateView['queues']) {
    this.#queues = queues;
  }

  /** By name; `null`: the roots. */
  children(parent: QueueName | null): readonly QueueName[] {
    this.#children ??= Map.groupBy([...this.#queues.keys()].sort(), (name) => this.#queues.get(name)?.spec.parent ?? null);
    return this.#children.get(parent) ?? [];
  }

  /** The queue, its parent, and so on to the root. */
  chain(queue: QueueName): readonly QueueName[] {
    const known = this.#chains.get(queue);
    if (known !== undefined) return known;
    const chain = withAncestors(this.#queues, queue);
    this.#chains.set(queue, chain);
    return chain;
  }

  isServing(queue: QueueName): boolean {
    return this.chain(queue).some((name) => this.#queues.get(name)?.spec.class === 'serving');
  }

  /** GPUs guaranteed to the queue: as it names them, else what the queues below it are guaranteed together. */
  guaranteed(queue: QueueName, model: string): number {
    const known = this.#guaranteed.get(model) ?? new Map<QueueName, number>();
    this.#guaranteed.set(model, known);
    const remembered = known.get(queue);
    if (remembered !== undefined) return remembered;
    const amount = this.#queues.get(queue)?.spec.guaranteed[model] ?? this.guaranteedBelow(queue, model);
    known.set(queue, amount);
    return amount;
  }

  guaranteedBelow(queue: QueueName, model: string): number {
    return this.children(queue).reduce((sum, child) => sum + this.guaranteed(child, model), 0);
  }
}
