import { explainWait } from '#core/schedule/explain/explainWait.ts';
import type { JobView } from '#core/state/view.ts';
import { describeRemedy } from '#vocabulary/describeRemedy.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { World } from '../world/world.ts';

/** Why a workload waits and what would help, as the core says. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
  /** By level: how many domains could hold all of it, of how many; on the model that has most room. */
  readonly levels: Readonly<Record<string, { readonly fit: number; readonly of: number }>>;
  readonly unblock: readonly string[];
  readonly estimatedStart: { readonly p50: number; readonly p90: number } | null;
}

/** At the end of the story. `inFull` false: without what takes a look at the cluster. */
export function verdictOf({ view, context, recorder }: World, job: JobView, inFull: boolean): Verdict {
  const wait = recorder.lastPass.waits.get(job.uid);
  const nothing = { levels: {}, unblock: [], estimatedStart: null };
  if (wait === undefined) return { reason: 'NotLookedAtYet', message: 'no scheduling pass has looked at it', ...nothing };
  const told = { reason: wait.kind, message: describeWait(wait), ...nothing };
  const verdict = inFull ? explainWait(view, recorder.lastPass, job, context) : null;
  if (verdict === null) return told;
  const [best] = [...verdict.rooms].sort((left, right) => (right.levels[0]?.best ?? 0) - (left.levels[0]?.best ?? 0));
  return {
    ...told,
    levels: Object.fromEntries((best?.levels ?? []).slice(1).map(({ level, host, domains }) => [level, { fit: host, of: domains }])),
    unblock: verdict.remedies.map((remedy) => describeRemedy(remedy, job.name).text),
  };
}
