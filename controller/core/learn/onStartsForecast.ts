import type { JobUid } from '#vocabulary/ids.ts';
import type { StartTold } from '../events.ts';
import type { Turn } from '../turn.ts';
import { tellStart } from './startErrors.ts';

/** Notes what is said first of a job that waits; later forecasts of it are told, and not kept. */
export function onStartsForecast(turn: Turn, starts: readonly { readonly uid: JobUid; readonly startMs: number }[]): void {
  const { state, context } = turn;
  const told = starts.flatMap(({ uid, startMs }): readonly StartTold[] => {
    const job = state.jobs.get(uid);
    if (job?.phase.kind !== 'pending' || job.told !== null) return [];
    const { forecastMs, p50Ms, p90Ms } = tellStart(state.startErrors, context.nowMs, startMs);
    return [{ uid, forecastMs, p50Ms, p90Ms }];
  });
  if (told.length > 0) turn.emit({ kind: 'StartsTold', starts: told.sort((left, right) => (left.uid < right.uid ? -1 : 1)) });
}
