import type { JobName } from '#vocabulary/ids.ts';
import type { DependencySpec } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { JobRecord, State } from '../state/state.ts';
import type { JobView, StateView } from '../state/view.ts';
import { findJob } from './jobReplies.ts';

/**
 * Jobs that wait for others (`spec.after`). A dependency is a name: it may be applied later, and a job that was deleted
 * and applied again is a new one. It is looked at until the waiting job has been placed for the first time.
 */
export function judgeDependencies(state: StateView, after: readonly DependencySpec[]): WaitReason | null {
  let open: WaitReason | null = null;
  for (const { job: name, condition } of after) {
    const other = findJob(state, name);
    if (other === undefined) {
      open ??= { kind: 'Dependency', job: name, condition, state: null };
      continue;
    }
    const judged = judgeCondition(other, condition);
    // One that can never hold outweighs those that may.
    if (judged === 'never') return { kind: 'DependencyNever', job: name, condition, state: stateWord(other) };
    if (judged === 'open') open ??= { kind: 'Dependency', job: name, condition, state: stateWord(other) };
  }
  return open;
}

function judgeCondition(job: JobView, condition: DependencySpec['condition']): 'holds' | 'open' | 'never' {
  const { phase } = job;
  if (condition === 'Started') {
    if (job.attempts.some((attempt) => attempt.startedAtMs !== null)) return 'holds';
    return phase.kind === 'finished' ? 'never' : 'open';
  }
  if (phase.kind !== 'finished') return 'open';
  return condition === 'Finished' || condition === phase.outcome ? 'holds' : 'never';
}

export function stateWord({ phase, attempts }: JobView): string {
  if (phase.kind === 'finished') return phase.outcome.toLowerCase();
  return phase.kind === 'active' ? (attempts.at(-1)?.stage.kind ?? 'starting') : phase.kind;
}

/** Names from the job over what it waits for back to itself; null: there is no circle. */
export function findCircle(state: StateView, name: JobName, after: readonly DependencySpec[]): readonly JobName[] | null {
  // A circle through this job needs another that waits for it.
  if (!state.awaited.has(name)) return null;
  const cameFrom = new Map<JobName, JobName>();
  const open: { readonly name: JobName; readonly after: readonly DependencySpec[] }[] = [{ name, after }];
  for (const { name: waiting, after: others } of open) {
    for (const { job: other } of others) {
      if (other === name) return wayTo(waiting, cameFrom, name);
      const record = findJob(state, other);
      if (cameFrom.has(other) || record === undefined || !waitsForOthers(record)) continue;
      cameFrom.set(other, waiting);
      open.push({ name: other, after: record.spec.after });
    }
  }
  return null;
}

function wayTo(last: JobName, cameFrom: ReadonlyMap<JobName, JobName>, start: JobName): readonly JobName[] {
  const way: JobName[] = [start];
  for (let at: JobName | undefined = last; at !== undefined && at !== start; at = cameFrom.get(at)) way.unshift(at);
  return [start, ...way];
}

/** Once placed, a job has had what it waited for. */
export function waitsForOthers(job: { readonly phase: JobView['phase']; readonly attempts: readonly unknown[] }): boolean {
  return job.attempts.length === 0 && job.phase.kind !== 'finished';
}

/** Keeps State.awaited: how many jobs wait for each name. */
export function countAwaited(state: State, job: JobRecord, sign: 1 | -1): void {
  for (const { job: name } of job.spec.after) {
    const count = (state.awaited.get(name) ?? 0) + sign;
    if (count === 0) state.awaited.delete(name);
    else state.awaited.set(name, count);
  }
}
