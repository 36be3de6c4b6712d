import type { QueueName, UserName } from '#vocabulary/ids.ts';
import { milliPerGpu, type JobSpec } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { StateView } from '../state/view.ts';
import { runningJobs, usageKey } from './usageKey.ts';

/**
 * Who holds how many GPUs of which model, and whether a queue's limits let a job hold more. A queue counts all below it.
 * Amounts are milli-GPU; specs and wait reasons speak of GPUs.
 */
export interface Holding {
  readonly queue: QueueName;
  readonly user: UserName;
  /** null: no GPUs. */
  readonly model: string | null;
  readonly gpuMilli: number;
}

/** Adds (`sign` 1) or takes back (-1) what an attempt holds. The ancestors are those of now: a queue never changes its parent. */
export function countUsage(
  state: { readonly usage: Map<string, number>; readonly queues: StateView['queues'] },
  holding: Holding,
  sign: 1 | -1,
): void {
  const { usage, queues } = state;
  const { queue, user, model, gpuMilli } = holding;
  addUsage(usage, usageKey.user(queue, user, runningJobs), sign);
  if (model === null) return;
  addUsage(usage, usageKey.user(queue, user, model), sign * gpuMilli);
  addUsage(usage, usageKey.own(queue, model), sign * gpuMilli);
  for (const name of withAncestors(queues, queue)) addUsage(usage, usageKey.queue(name, model), sign * gpuMilli);
}

function addUsage(usage: Map<string, number>, key: string, amount: number): void {
  const sum = (usage.get(key) ?? 0) + amount;
  if (sum === 0) usage.delete(key);
  else usage.set(key, sum);
}

/** Milli-GPU held by the queue and all below it. */
export function queueGpuMilli(state: { readonly usage: Pick<StateView['usage'], 'get'> }, queue: QueueName, model: string): number {
  return state.usage.get(usageKey.queue(queue, model)) ?? 0;
}

/** What keeps `spec` from holding GPUs of this model (`has`: in place of what it holds of it now): a held queue, or the first limit that would be broken; null when nothing. */
export function findBrokenLimit(
  state: Pick<StateView, 'queues'> & { readonly usage: Pick<StateView['usage'], 'get'> },
  job: { readonly user: UserName; readonly spec: JobSpec },
  model: string | null,
  has: 'nothing' | Pick<Holding, 'gpuMilli'> = 'nothing',
): WaitReason | null {
  const { user, spec } = job;
  const chain = withAncestors(state.queues, spec.queue);
  const held = chain.find((name) => state.queues.get(name)?.spec.hold === true);
  if (held !== undefined) return { kind: 'QueueHeld', queue: held };
  const wantedMilli = spec.workers * spec.gpusPerWorker * milliPerGpu(spec) - (has === 'nothing' ? 0 : has.gpuMilli);
  const perUser = state.queues.get(spec.queue)?.spec.perUser;
  const maxRunning = perUser?.maxRunning ?? null;
  if (has === 'nothing' && maxRunning !== null && (state.usage.get(usageKey.user(spec.queue, user, runningJobs)) ?? 0) + 1 > maxRunning) {
    return { kind: 'UserMaxRunning', queue: spec.queue, user, limit: maxRunning };
  }
  if (model === null) return null;
  // What is held is looked up only where there is a limit to it.
  const userLimit = perUser?.limit[model];
  const ofUser =
    userLimit === undefined ? null : judgeLimit(userLimit, state.usage.get(usageKey.user(spec.queue, user, model)) ?? 0, wantedMilli);
  if (ofUser !== null) return { kind: 'UserLimit', queue: spec.queue, user, model, ...ofUser };
  for (const queue of chain) {
    const limit = state.queues.get(queue)?.spec.limit[model];
    const ofQueue = limit === undefined ? null : judgeLimit(limit, queueGpuMilli(state, queue, model), wantedMilli);
    if (ofQueue !== null) return { kind: 'QueueLimit', queue, model, ...ofQueue };
  }
  return null;
}

interface BrokenLimit {
  readonly limit: number;
  readonly used: number;
  readonly wanted: number;
}

/** In GPUs; null: keeps to it. */
function judgeLimit(limit: number, usedMilli: number, wantedMilli: number): BrokenLimit | null {
  if (usedMilli + wantedMilli <= limit * gpuMilliPerGpu) return null;
  return { limit, used: usedMilli / gpuMilliPerGpu, wanted: wantedMilli / gpuMilliPerGpu };
}

/** The queue, its parent, and so on to the root. */
export function withAncestors(queues: StateView['queues'], start: QueueName): readonly QueueName[] {
  const chain: QueueName[] = [];
  for (let name: QueueName | null = start; name !== null && !chain.includes(name); name = queues.get(name)?.spec.parent ?? null)
    chain.push(name);
  return chain;
}
