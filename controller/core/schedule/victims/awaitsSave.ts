import type { Policy } from '../../context.ts';
import { attainedNow, levelsOf } from '../../queues/attained.ts';
import { maySlice, passesAtMs, patienceMs } from '../../queues/standing.ts';
import type { AwaitsSave } from '../../state/state.ts';
import { currentAttempt } from '../../state/state.ts';
import type { MissedBy } from './slices.ts';
import { sliceKey } from './slices.ts';

/** Who found nobody to stop in a pass, though somebody may yield once it has saved (`Slices.missedBy`). */
export function awaitsSaveOf(policy: Policy, missed: ReadonlyMap<string, ReadonlyMap<number, readonly MissedBy[]>>): AwaitsSave {
  const levels = levelsOf(policy);
  return {
    dueAtMs: (job, nowMs) => {
      const attempt = currentAttempt(job);
      const waiting = missed.get(sliceKey(job.spec));
      if (attempt === undefined || attempt.model === null || waiting === undefined || !maySlice(policy, job)) return null;
      if (attempt.stage.kind !== 'running' && attempt.stage.kind !== 'starting') return null;
      const own = { level: levels.of(attainedNow(job, nowMs)), patienceMs: patienceMs(policy, job, attempt) };
      let soonest = Infinity;
      for (const [level, newest] of waiting) {
        if (!newest.some(({ user, sinceMs }) => user !== job.user && sinceMs > own.patienceMs)) continue;
        soonest = Math.min(soonest, own.level > level ? nowMs : passesAtMs(levels, { job, attempt, level }, nowMs));
      }
      return soonest === Infinity ? null : soonest;
    },
  };
}
