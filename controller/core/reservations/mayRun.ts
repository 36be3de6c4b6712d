import { defaultGraceMs } from '#vocabulary/job.ts';
import type { Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
import { endIfPlacedAt, promisedEndMs } from '../jobs/endings.ts';
import { withAncestors } from '../queues/usage.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView, StateView } from '../state/view.ts';

/** What a reservation asks of a job: also one that does not exist yet. */
export type Asker = Pick<JobView, 'name' | 'array' | 'user' | 'spec' | 'attempts'>;

/** Times that the rules are made of; see Policy. */
export interface Slack {
  readonly stopSlackMs: number;
  readonly restartCostMs: number;
}

/** One occurrence of a reservation. */
export interface Kept {
  readonly spec: ReservationSpec;
  readonly occurrence: Occurrence;
}

/** The job is one of those whom the nodes are reserved for. */
export function isEntitled(state: Pick<StateView, 'queues'>, spec: ReservationSpec, job: Asker): boolean {
  if (spec.purpose === 'maintenance') return false;
  if (spec.users.includes(job.user) || spec.jobs.includes(job.name)) return true;
  if (job.array !== null && spec.jobs.includes(job.array.name)) return true;
  return spec.queues.length > 0 && withAncestors(state.queues, job.spec.queue).some((queue) => spec.queues.includes(queue));
}

/** The job may use what nobody of those uses: it can be sent away at any time. */
export const mayBeGuest = (spec: ReservationSpec, job: Pick<JobView, 'spec'>): boolean =>
  spec.lend && job.spec.preemptible && job.spec.minRuntimeMs === 0;

/**
 * Whether a job that is not entitled may start there at `fromMs`, before the occurrence: it has said that it is gone by then, or it
 * can be asked to leave in time after having run as long as it wants to, and as starting again costs.
 */
export function isGoneBefore({ spec, occurrence }: Kept, job: Asker, fromMs: number, slack: Slack): boolean {
  const endMs = endIfPlacedAt(job, fromMs);
  if (endMs !== null && endMs + slack.stopSlackMs <= occurrence.startMs) return true;
  if (spec.drain === 'runtime' || !job.spec.preemptible) return false;
  return fromMs + Math.max(job.spec.minRuntimeMs, slack.restartCostMs) <= askAtMs(occurrence, job, slack);
}

/** When a job must be asked to leave to be gone by the start: its grace before, and what it takes to stop it. */
const askAtMs = (occurrence: Occurrence, { spec }: Pick<JobView, 'spec'>, { stopSlackMs }: Slack): number =>
  occurrence.startMs - (spec.checkpoint?.graceMs ?? defaultGraceMs) - stopSlackMs;

/** What becomes of a job that stands on a node of the reservation. */
export type Fate =
  | { readonly kind: 'Entitled' }
  | { readonly kind: 'Guest' }
  /** It has said that it is gone by then. */
  | { readonly kind: 'EndsBefore'; readonly atMs: number }
  /** It is asked to leave then. */
  | { readonly kind: 'ToLeave'; readonly atMs: number }
  | { readonly kind: 'Leaving' };

export function fateOf(state: Pick<StateView, 'queues'>, kept: Kept, job: JobView, slack: Slack): Fate {
  if (isEntitled(state, kept.spec, job)) return { kind: 'Entitled' };
  if (mayBeGuest(kept.spec, job)) return { kind: 'Guest' };
  const endMs = promisedEndMs(job);
  if (endMs !== null && endMs + slack.stopSlackMs <= kept.occurrence.startMs) return { kind: 'EndsBefore', atMs: endMs };
  const stage = currentAttempt(job)?.stage.kind;
  if (stage === 'suspending' || stage === 'stopping') return { kind: 'Leaving' };
  return { kind: 'ToLeave', atMs: askAtMs(kept.occurrence, job, slack) };
}
