import type { WaitReason } from '#vocabulary/reasons.ts';
import type { JobView, StateView } from '../state/view.ts';
import { judgeDependencies } from './dependencies.ts';

/** What the judgement needs of a job: also one that does not exist yet (a plan). */
export type Starter = Pick<JobView, 'spec' | 'attempts' | 'held' | 'array'>;

/**
 * Why a waiting job is not to be looked at by the scheduler at all, whatever room there is; null: it is a candidate.
 * Asked anew for each job in each pass, so that a placement of the same pass counts (parallelism of an array).
 */
export function judgeReadiness(state: StateView, job: Starter, nowMs: number): WaitReason | null {
  const { spec, held, array } = job;
  if (held !== null) return { kind: 'Held', by: held.by, atMs: held.atMs };
  if (spec.startAfterMs !== null && nowMs < spec.startAfterMs) return { kind: 'NotBefore', untilMs: spec.startAfterMs };
  const dependency = job.attempts.length > 0 ? null : judgeDependencies(state, spec.after);
  if (dependency !== null) return dependency;
  if (array !== null && array.parallelism !== null && (state.arrays.get(array.name) ?? 0) >= array.parallelism)
    return { kind: 'ArrayParallelism', array: array.name, limit: array.parallelism };
  return null;
}

/**
 * When time alone changes the answer; null: it does not. Whoever runs a pass keeps the earliest of these in
 * `State.wakeAtMs`: the first step at or after it runs a pass though nothing else happened.
 */
export function wakeAtMs(wait: WaitReason): number | null {
  return wait.kind === 'NotBefore' ? wait.untilMs : null;
}
