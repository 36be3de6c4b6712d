import { assert } from '#vocabulary/assert.ts';
import type { QueueName, UserName } from '#vocabulary/ids.ts';
import type { FairOrderInput } from './fairOrder.ts';
import type { Usage } from './share.ts';
import { dominantShare, readUsage } from './share.ts';
import { usageKey } from './usageKey.ts';

/**
 * Whose turn it is inside one queue, among candidates of equal priority: the user with the smallest dominant share
 * (share.ts), all users having the same weight. Users' past counts with the queue's half-life. Made once a pass, from the
 * state as it is then.
 */
export class UserShares {
  readonly #capacityMilli: ReadonlyMap<string, number>;
  readonly #usage = new Map<UserName, Map<string, Usage>>();
  readonly #shares = new Map<UserName, number>();

  /** `users`: all that will be asked for, in any order. */
  constructor({ state, capacityMilli, nowMs }: FairOrderInput, queue: QueueName, users: Iterable<UserName>) {
    this.#capacityMilli = capacityMilli;
    for (const user of users) {
      if (this.#usage.has(user)) continue;
      const of = { queue, key: (model: string) => usageKey.user(queue, user, model), countsPast: true };
      this.#usage.set(user, readUsage(state, of, capacityMilli.keys(), nowMs));
    }
  }

  /** 0..1; above, where the past was larger than the cluster is. */
  shareOf(user: UserName): number {
    const known = this.#shares.get(user);
    if (known !== undefined) return known;
    const share = dominantShare(this.#usageOf(user), this.#capacityMilli);
    this.#shares.set(user, share);
    return share;
  }

  /** The user was given GPUs; negative: gave them back. */
  gave(user: UserName, model: string, gpuMilli: number): void {
    const usage = this.#usageOf(user);
    const old = usage.get(model) ?? { heldMilli: 0, pastMilli: null };
    usage.set(model, { ...old, heldMilli: old.heldMilli + gpuMilli });
    this.#shares.delete(user);
  }

  /** For `sort`: the smaller share first, then by name. */
  readonly compare = (left: UserName, right: UserName): number =>
    this.shareOf(left) - this.shareOf(right) || (left < right ? -1 : left > right ? 1 : 0);

  #usageOf(user: UserName): Map<string, Usage> {
    const usage = this.#usage.get(user);
    assert(usage !== undefined, `the share of user ${user} is asked for, who was not named`);
    return usage;
  }
}
