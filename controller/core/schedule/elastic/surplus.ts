import { sizeRange } from '#vocabulary/elastic.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Claim, EntitlementBook } from '../../queues/entitlement.ts';
import type { Standings } from '../../queues/standing.ts';
import { currentAttempt } from '../../state/state.ts';
import type { AttemptView, JobView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Capacity } from '../capacity/capacity.ts';
import { leavingCost } from '../victims/costs.ts';
import type { Evictable } from '../victims/evictable.ts';
import { claimOf } from '../victims/running.ts';
import { holdsAt } from './workerHolds.ts';

/**
 * What a running elastic job can do without: all above its smallest size. It is counted in groups, each as many consecutive
 * workers as its sizes are apart, so that whatever groups go, what stays is a gang of an allowed size: its segments are whole
 * and its mesh has some data replicas less. Who stays keeps its place, and the order.
 */
export interface Surplus {
  readonly job: JobView;
  /** All groups that it is not to lose already. At most `most` of them can go. */
  readonly groups: readonly SurplusGroup[];
  readonly most: number;
  /** Of one group. */
  readonly claim: Claim;
  /** Nobody may ask it before. Milliseconds since 1970. */
  readonly fromMs: number;
}

export interface SurplusGroup extends Evictable {
  readonly group: number;
  readonly places: Placement;
}

/** Goes before every whole gang, whatever its priority is, and after those who leave anyway; that of services last. */
const beforeAnyGang = { batch: -0.5, serving: -0.25 } as const;

/** Of one running job; null: it has nothing to give. */
export function surplusOf(
  { state, context }: Turn,
  { capacity, standings, book }: { readonly capacity: Capacity; readonly standings: Standings; readonly book: EntitlementBook },
  uid: JobUid,
): Surplus | null {
  const job = state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined || !mayResize(job, attempt)) return null;
  const { min, step } = sizeRange(job.spec);
  const has = remainsOf(job, attempt);
  if (!mayComeBack(capacity, job, has)) return null;
  const most = (has.length - min) / step;
  if (most <= 0) return null;
  const isAsked = attempt.stage.kind === 'suspending';
  // A turn shorter than the restart that it cost helps nobody. Who restarts anyway is asked at any time.
  const youngMs = Math.max(job.spec.minRuntimeMs, context.policy.restartCostMs);
  const fromMs = isAsked ? 0 : Math.max(attempt.placedAtMs + youngMs, standings.safeUntilMs(job, attempt) ?? 0);
  const all = claimOf(job, attempt.model);
  const claim = { ...all, gpuMilli: (all.gpuMilli / attempt.placement.length) * step, standing: standings.running(job, attempt) };
  // The whole gang restarts, whatever it gives: each group bears its part, so that plans differ by the gangs that they touch.
  const cost = isAsked ? 0 : (leavingCost(job, attempt, context.nowMs, context.policy.restartCostMs) * step) / has.length;
  const holds = holdsAt(capacity, uid, has);
  const priority = beforeAnyGang[book.tree.isServing(job.spec.queue) ? 'serving' : 'batch'];
  const groups = Array.from({ length: has.length / step }, (_, group): SurplusGroup => {
    const [first, end] = [group * step, (group + 1) * step];
    const held = holds.slice(first, end).flatMap((hold) => hold ?? []);
    return { job: uid, group, places: has.slice(first, end), holds: held, cost, priority };
  });
  return { job, groups, most, claim, fromMs };
}

/** It could start again where it stands: no node of it is cordoned, or one that it shall not use any more. */
function mayComeBack(capacity: Capacity, { spec }: JobView, places: Placement): boolean {
  return places.every(({ node: name }) => {
    const node = capacity.topology.numberOf.get(name);
    return node !== undefined && capacity.factsOf(node).open && !spec.avoidNodes.includes(name);
  });
}

/** Where it will stand without these groups. */
export function placesWithout({ groups }: Surplus, gone: ReadonlySet<number>): Placement {
  return groups.filter(({ group }) => !gone.has(group)).flatMap(({ places }) => places);
}

/** Runs, or restarts for another size already. */
function mayResize({ move }: JobView, { stage }: AttemptView): boolean {
  if (stage.kind === 'starting' || stage.kind === 'running') return true;
  return stage.kind === 'suspending' && stage.reason === 'Resized' && move?.kind === 'asked';
}

/** What it keeps, if it was asked to shrink; else all. */
function remainsOf({ move }: Pick<JobView, 'move'>, { placement }: Pick<AttemptView, 'placement'>): Placement {
  return move?.kind === 'asked' && move.placement.length < placement.length ? move.placement : placement;
}

/** Of one who is to come back smaller: what it has and what it keeps; null: it is not. */
export function keptBy(job: JobView | undefined): { readonly has: Placement; readonly keeps: Placement } | null {
  const has = job === undefined ? undefined : currentAttempt(job)?.placement;
  if (job?.move?.kind !== 'asked' || has === undefined || job.move.placement.length >= has.length) return null;
  return { has, keeps: job.move.placement };
}

/** What it gives up by leaving as it was asked to, if it is to come back at once; null: it does not come back. */
export function givenUpBy(job: JobView): Omit<Claim, 'standing'> | null {
  const attempt = currentAttempt(job);
  if (attempt === undefined || job.move?.kind !== 'asked') return null;
  const all = claimOf(job, attempt.model);
  const lost = attempt.placement.length - remainsOf(job, attempt).length;
  return { ...all, gpuMilli: (all.gpuMilli / attempt.placement.length) * lost };
}

/** What its move costs each of its GPUs. */
export function resizeCostMs({ state, context }: Turn, uid: JobUid): number {
  const job = state.jobs.get(uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  if (job === undefined || attempt === undefined) return 0;
  const gpus = attempt.placement.reduce((sum, place) => sum + place.gpus.length, 0);
  return gpus === 0
    ? context.policy.restartCostMs
    : Math.round(leavingCost(job, attempt, context.nowMs, context.policy.restartCostMs) / (gpus * gpuMilliPerGpu));
}
