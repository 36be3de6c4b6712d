import type { JobRecord, State } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import type { Amounts, TotalKind } from './amounts.ts';
import { noAmounts } from './amounts.ts';

/**
 * Whose time it was: totals by user, queue and project, which outlive the jobs. Each has every millisecond that some job
 * was charged for, once. Projects are labels that users make up, so their number is bounded.
 */

/** Label of a job that names its project. */
const projectLabel = 'project';
/** Names of one kind that have a row of their own; later ones share the row `(others)`. */
export const totalRowsMax = 10_000;
const others = '(others)';

/** '' for a job that names no project. */
export function totalNameOf(job: Pick<JobView, 'user' | 'spec' | 'labels'>, kind: TotalKind): string {
  switch (kind) {
    case 'user':
      return job.user;
    case 'queue':
      return job.spec.queue;
    case 'project':
      return job.labels[projectLabel] ?? '';
  }
}

/** The row of what a reservation kept and nobody used. No user, queue or project is called so: of those the first two are plain names. */
export const reservationRow = (name: string): string => `(reservation ${name})`;

/** The row that the name is counted in; made when it is new. A row stays, so the same name always finds the same one. */
export function rowOf(rows: Map<string, Amounts>, name: string): Amounts {
  const known = rows.get(name);
  if (known !== undefined) return known;
  const key = rows.size < totalRowsMax ? name : others;
  const row = rows.get(key) ?? noAmounts();
  rows.set(key, row);
  return row;
}

/** Every account that a change to the job's time goes to: its own, its totals and the cluster's. */
export function accountsOf(state: State, job: JobRecord): readonly Amounts[] {
  const { user, queue, project } = state.ledger.totals;
  return [
    job.ledger.amounts,
    state.ledger.amounts,
    rowOf(user, totalNameOf(job, 'user')),
    rowOf(queue, totalNameOf(job, 'queue')),
    rowOf(project, totalNameOf(job, 'project')),
  ];
}
