import { defaultGraceMs } from '#vocabulary/job.ts';
import type { Drain, Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
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
 * A job that is not entitled and starts at `fromMs` is kept from reservations that drain so and begin before this time; Infinity: from all.
 * It is gone by then as it has said; or it can be asked to leave by then, after having run as long as it wants to and as
 * starting it again costs.
 */
export function closesBefore(drain: Drain, job: Asker, fromMs: number, slack: Slack): number {
  const promisedMs = endIfPlacedAt(job, fromMs);
  const endMs = promisedMs === null ? Infinity : promisedMs + slack.stopSlackMs;
  if (drain === 'runtime' || !job.spec.preemptible) return endMs;
  return Math.min(endMs, fromMs + Math.max(job.spec.minRuntimeMs, slack.restartCostMs) + leavingMs(job, slack));
}

/** Its grace, and what it takes to stop it. */
const leavingMs = ({ spec }: Pick<JobView, 'spec'>, { stopSlackMs }: Slack): number =>
  (spec.checkpoint?.graceMs ?? defaultGraceMs) + stopSlackMs;

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
  return { kind: 'ToLeave', atMs: kept.occurrence.startMs - leavingMs(job, slack) };
}
