import type { JobUid } from '#vocabulary/ids.ts';
import type { Hold } from '../capacity/capacity.ts';

/** A job that may be asked to leave so that a gang can start, or a group of its workers that it may be asked to do without. */
export interface Evictable {
  readonly job: JobUid;
  /** Which of the groups of its workers (elastic/surplus.ts); absent: the job whole. */
  readonly group?: number;
  readonly holds: readonly Hold[];
  /** What its leaving costs, in milli-GPU-milliseconds: work since the last checkpoint and the restart. 0: it leaves anyway. */
  readonly cost: number;
  readonly priority: number;
}

/** Whether victims may be asked together: nobody may be pushed below its guarantee by the sum of them. */
export interface Entitlement {
  /** Notes that it leaves; false, and nothing noted, when it may not in addition to those noted before. */
  give(each: Evictable): boolean;
  takeBack(each: Evictable): void;
}

/** Of a guest on what is reserved for another: below that of all jobs. */
export const guestPriority = -1;

/** -1: nothing is lost, whatever its priority. */
export const priorityLost = ({ cost, priority }: Evictable): number => (cost === 0 ? -1 : priority);

/** Who leaves first: the lowest priority, then the least cost, then by uid; of one job's groups the last, so that its first ranks stay. */
export const cheapestFirst = (left: Evictable, right: Evictable): number =>
  priorityLost(left) - priorityLost(right) ||
  left.cost - right.cost ||
  (left.job === right.job ? (right.group ?? 0) - (left.group ?? 0) : left.job < right.job ? -1 : 1);
