import type { WaitReason } from '#vocabulary/reasons.ts';
import { describeWait } from '#vocabulary/reasons.ts';

/** Why a workload waits and what would help, as far as the core says. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
  /** By level: domains (or workers) that fit, of how many. */
  readonly levels: Readonly<Record<string, { readonly fit: number; readonly of: number }>>;
  readonly unblock: readonly string[];
  readonly estimatedStart: { readonly p50: number; readonly p90: number } | null;
}

export function verdictOf(wait: WaitReason | undefined): Verdict {
  if (wait === undefined)
    return { reason: 'NotLookedAtYet', message: 'no scheduling pass has looked at it', levels: {}, unblock: [], estimatedStart: null };
  const levels = wait.kind === 'LevelTooSmall' ? { [wait.level]: { fit: wait.best, of: wait.wanted.workers } } : {};
  return { reason: wait.kind, message: describeWait(wait), levels, unblock: [], estimatedStart: null };
}
