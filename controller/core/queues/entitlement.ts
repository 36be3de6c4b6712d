import type { QueueName, UserName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { StateView } from '../state/view.ts';
import { QueueTree } from './queueTree.ts';
import type { Standing } from './standing.ts';
import { queueGpuMilli } from './usage.ts';

/**
 * Who may be asked to leave for whom. A nominee may displace a preemptible victim
 *
 * - by rank: a serving workload any batch one; inside one class one of higher priority one of lower priority; inside one
 *   queue and priority one of a lower level of attained service one of a higher level that yields to it (standing.ts);
 * - by reclaim: from another queue, when the nominee's side stays within what it is guaranteed, whatever the ranks are.
 *
 * "Sides" are the two chains of queues from just below the lowest common ancestor (or the roots) down to the two jobs'
 * queues. In both cases no queue on the victim's side may fall below its guarantee. Two jobs of one user with equal rank
 * never displace each other.
 *
 * Why it cannot flap. Rank is strict, so what was displaced by rank cannot come back by rank; and neither can it by
 * reclaim, since its side still holds its guarantee. What was displaced by reclaim left a side that holds its guarantee,
 * so it cannot reclaim; and the nominee's side is within its guarantee, so that losing the nominee would break it and
 * nobody may take it, by rank or by reclaim.
 *
 * Levels are strict too: class, priority and level make one order, so at one moment displacing by rank only goes up in it
 * and ends. What changes that order is time, and ever more slowly: who was displaced by level comes back at the cost of its
 * displacer only when that one has passed the level of the other, and levels are a factor apart. An overdue job is the
 * exception: it may have had more than its victim. It is safe for its hour, and has to wait a week to be overdue again.
 * Safety and patience only take away from what is allowed.
 */
export interface Claim {
  readonly queue: QueueName;
  readonly user: UserName;
  readonly priority: number;
  /** Of a victim; a nominee's says nothing. */
  readonly preemptible: boolean;
  /** null: no GPUs. */
  readonly model: string | null;
  /** All that the nominee wants, or all that the victim (or its surplus) gives. */
  readonly gpuMilli: number;
  readonly standing: Standing;
}

/** What queues hold in a plan: the state's usage, and what victims and nominees would change. */
export class EntitlementBook {
  readonly tree: QueueTree;
  readonly #state: Pick<StateView, 'usage'>;
  readonly #changes = new Map<string, number>();
  readonly #sides = new Map<QueueName, Map<QueueName, readonly QueueName[]>>();
  readonly #journal: { readonly queue: QueueName; readonly model: string; readonly gpuMilli: number }[] = [];

  constructor(state: Pick<StateView, 'queues' | 'usage'>) {
    this.tree = new QueueTree(state.queues);
    this.#state = state;
  }

  /** The victim leaves: what it holds counts no longer. */
  give({ queue, model, gpuMilli }: Pick<Claim, 'queue' | 'model' | 'gpuMilli'>): void {
    if (model !== null) this.#change(queue, model, -gpuMilli);
  }

  /** The workload starts. Not to be called for a nominee before its victims are judged. */
  take({ queue, model, gpuMilli }: Pick<Claim, 'queue' | 'model' | 'gpuMilli'>): void {
    if (model !== null) this.#change(queue, model, gpuMilli);
  }

  /** For `rollback`: everything given and taken after it is undone. Marks nest. */
  mark(): number {
    return this.#journal.length;
  }

  rollback(mark: number): void {
    while (this.#journal.length > mark) {
      const last = this.#journal.pop();
      if (last !== undefined) this.#add(last.queue, last.model, -last.gpuMilli);
    }
  }

  /** By the queue and all below it. */
  heldMilli(queue: QueueName, model: string): number {
    return queueGpuMilli(this.#state, queue, model) + (this.#changes.get(`${queue} ${model}`) ?? 0);
  }

  guaranteedMilli(queue: QueueName, model: string): number {
    return this.tree.guaranteed(queue, model) * gpuMilliPerGpu;
  }

  /** The queues from this one up to just below the lowest one that it shares with the other. */
  side(queue: QueueName, other: QueueName): readonly QueueName[] {
    const sides = this.#sides.get(queue) ?? new Map<QueueName, readonly QueueName[]>();
    const known = sides.get(other);
    if (known !== undefined) return known;
    const chain = this.tree.chain(queue);
    const shared = new Set(this.tree.chain(other));
    const end = chain.findIndex((name) => shared.has(name));
    const side = end === -1 ? chain : chain.slice(0, end);
    this.#sides.set(queue, sides.set(other, side));
    return side;
  }

  #change(queue: QueueName, model: string, gpuMilli: number): void {
    this.#journal.push({ queue, model, gpuMilli });
    this.#add(queue, model, gpuMilli);
  }

  #add(queue: QueueName, model: string, gpuMilli: number): void {
    for (const name of this.tree.chain(queue)) {
      const key = `${name} ${model}`;
      this.#changes.set(key, (this.#changes.get(key) ?? 0) + gpuMilli);
    }
  }
}

/**
 * Whether the nominee may have this victim's place, after all that the book says was given so far. Victims of one plan are
 * judged one after the other, each given (`book.give`) when it is chosen; a set chosen so is allowed as a whole
 * (`mayDisplaceAll`). Leaves the book as it is.
 */
export function mayDisplace(nominee: Claim, victim: Claim, book: EntitlementBook): boolean {
  return isEntitled(nominee, victim, book) && victim.gpuMilli <= spareMilli(nominee.queue, victim.queue, victim.model, book);
}

/** The whole set at once, by what is left when all have given: the order does not matter. Leaves the book as it is. */
export function mayDisplaceAll(nominee: Claim, victims: readonly Claim[], book: EntitlementBook): boolean {
  const mark = book.mark();
  for (const victim of victims) book.give(victim);
  const allowed = victims.every(
    (victim) => isEntitled(nominee, victim, book) && slackMilli(nominee.queue, victim.queue, victim.model, book) >= 0,
  );
  book.rollback(mark);
  return allowed;
}

function isEntitled(nominee: Claim, victim: Claim, book: EntitlementBook): boolean {
  if (!victim.preemptible) return false;
  const serving = Number(book.tree.isServing(nominee.queue)) - Number(book.tree.isServing(victim.queue));
  if (serving > 0) return true;
  const isEqual = serving === 0 && nominee.priority === victim.priority;
  if (isEqual && nominee.user === victim.user) return false;
  const outranks = isEqual ? hadLess(nominee, victim) : serving === 0 && nominee.priority > victim.priority;
  return (outranks && !victim.standing.isSafe) || mayReclaim(nominee, victim, book);
}

/** Inside one queue a victim that has had its turn yields to who has had less, once that one has been patient. */
export function hadLess(nominee: Claim, victim: Claim): boolean {
  const isLower = nominee.queue === victim.queue && nominee.standing.level < victim.standing.level;
  return isLower && nominee.standing.waitsSinceMs <= victim.standing.yieldsToMs;
}

/**
 * Whether the nominee only takes back what its side is guaranteed: with it no queue of its side is above its guarantee,
 * queues that have none being left to those above them. The same for every victim of one queue that gives this model.
 */
export function mayReclaim(
  nominee: Pick<Claim, 'queue' | 'model' | 'gpuMilli'>,
  victim: Pick<Claim, 'queue' | 'model'>,
  book: EntitlementBook,
): boolean {
  const { queue, model, gpuMilli } = nominee;
  if (model === null || model !== victim.model) return false;
  const side = book.side(queue, victim.queue);
  const top = side.at(-1);
  if (top === undefined || book.guaranteedMilli(top, model) === 0) return false;
  return side.every((name) => {
    const guaranteed = book.guaranteedMilli(name, model);
    return guaranteed === 0 || book.heldMilli(name, model) + gpuMilli <= guaranteed;
  });
}

/** How much the victim's side may give to the nominee's queue before a queue of it falls below its guarantee: 0 or more; Infinity without guarantee. */
export function spareMilli(nominee: QueueName, victim: QueueName, model: string | null, book: EntitlementBook): number {
  return Math.max(0, slackMilli(nominee, victim, model, book));
}

/** Below 0: a queue is below its guarantee already. */
function slackMilli(nominee: QueueName, victim: QueueName, model: string | null, book: EntitlementBook): number {
  let slack = Number.POSITIVE_INFINITY;
  if (model === null) return slack;
  for (const name of book.side(victim, nominee)) {
    const guaranteed = book.guaranteedMilli(name, model);
    if (guaranteed > 0) slack = Math.min(slack, book.heldMilli(name, model) - guaranteed);
  }
  return slack;
}
