import type { QueueName } from '#vocabulary/ids.ts';
import type { State } from '../state/state.ts';
import type { StateView } from '../state/view.ts';
import type { Holding } from './usage.ts';
import { withAncestors } from './usage.ts';
import { isKeyOf, runningJobs, usageKey } from './usageKey.ts';

/**
 * What a queue with a half-life, and its users, have used before: GPU time that counts half after each half-life.
 *
 * Kept as (amount, time of that amount) and moved on only when the holding changes, since between two changes
 *
 *     amount(t) = amount(0) * 2^(-t/H) + held * H/ln2 * (1 - 2^(-t/H))
 *
 * holds exactly. An amount is milli-GPU-milliseconds; divided by H/ln2, the weight of all time, it is an average holding
 * in milli-GPU. It is a fold of the log and no index: what is past cannot be counted again from what is there.
 *
 * Each queue decays by its own half-life, and counts all below it; users decay by that of their queue. A queue without
 * one keeps nothing.
 *
 * Determinism: amounts are rounded to integers at each change, and `Math.expm1` is the same code (fdlibm) in every build
 * of V8, so the same log gives the same bytes on one engine. ECMAScript does not promise it between engines: a controller
 * on another one could differ in the last digit, and the order of two queues with equal shares with it.
 */

/** Moves on what an attempt's holding counts in, to now. To be called before `countUsage` changes it. */
export function settlePast(state: State, { queue, user, model }: Omit<Holding, 'gpuMilli'>, nowMs: number): void {
  if (model === null) return;
  for (const name of withAncestors(state.queues, queue)) {
    if (keepsPast(state, name)) settleKey(state, name, usageKey.queue(name, model), nowMs);
  }
  if (!keepsPast(state, queue)) return;
  settleKey(state, queue, usageKey.own(queue, model), nowMs);
  settleKey(state, queue, usageKey.user(queue, user, model), nowMs);
}

const keepsPast = (state: State, queue: QueueName): boolean => (state.queues.get(queue)?.spec.halfLifeMs ?? null) !== null;

function settleKey(state: State, queue: QueueName, key: string, nowMs: number): void {
  const halfLifeMs = state.queues.get(queue)?.spec.halfLifeMs ?? null;
  if (halfLifeMs === null) return;
  const amount = amountAt(state, key, halfLifeMs, nowMs);
  state.past.set(key, { amount, asOfMs: nowMs });
}

function amountAt(state: Pick<StateView, 'past' | 'usage'>, key: string, halfLifeMs: number, nowMs: number): number {
  const past = state.past.get(key);
  if (past === undefined) return 0;
  // expm1 and not 1 - 2^x: a second of a week's half-life would lose half of its digits.
  const gone = -Math.expm1((-Math.LN2 * Math.max(0, nowMs - past.asOfMs)) / halfLifeMs);
  const held = state.usage.get(key) ?? 0;
  return Math.round(past.amount - past.amount * gone + held * wholeWeightMs(halfLifeMs) * gone);
}

/** The integral of 2^(-t/H) over all time. */
const wholeWeightMs = (halfLifeMs: number): number => halfLifeMs / Math.LN2;

/** Average holding of the past in milli-GPU, as `key` (usageKey.ts) of this queue counts it; 0 where past usage does not count. */
export function pastGpuMilli(
  state: Pick<StateView, 'past' | 'usage' | 'queues'>,
  { queue, key }: { readonly queue: QueueName; readonly key: string },
  nowMs: number,
): number {
  const halfLifeMs = state.queues.get(queue)?.spec.halfLifeMs ?? null;
  return halfLifeMs === null ? 0 : amountAt(state, key, halfLifeMs, nowMs) / wholeWeightMs(halfLifeMs);
}

/**
 * A queue's half-life changes from what the state says. The average is kept, since it means the same under both; a queue
 * that begins to count starts from nothing, one that ends forgets.
 */
export function changeHalfLife(state: State, queue: QueueName, nextMs: number | null, nowMs: number): void {
  const oldMs = state.queues.get(queue)?.spec.halfLifeMs ?? null;
  if (oldMs === nextMs) return;
  if (oldMs === null) {
    for (const key of state.usage.keys()) {
      if (isKeyOf(queue, key) && !key.endsWith(` ${runningJobs}`)) state.past.set(key, { amount: 0, asOfMs: nowMs });
    }
    return;
  }
  for (const key of [...state.past.keys()].filter((one) => isKeyOf(queue, one))) {
    if (nextMs === null) state.past.delete(key);
    else state.past.set(key, { amount: Math.round((amountAt(state, key, oldMs, nowMs) * nextMs) / oldMs), asOfMs: nowMs });
  }
}
