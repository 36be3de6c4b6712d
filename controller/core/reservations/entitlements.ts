import type { ReservationName } from '#vocabulary/ids.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import { withAncestors } from '../queues/usage.ts';
import type { StateView } from '../state/view.ts';
import type { Asker } from './mayRun.ts';

/** The reservations that a job is one of those for. */
export interface Own {
  readonly names: ReadonlySet<ReservationName>;
  /** Equal for equal names; empty: none. */
  readonly key: string;
}

const none: Own = { names: new Set(), key: '' };

/** Who is named by which of the reservations; the same as `isEntitled` of each, for many jobs. */
export class Entitlements {
  readonly #queues: StateView['queues'];
  readonly #byUser = new Map<string, ReservationName[]>();
  readonly #byQueue = new Map<string, ReservationName[]>();
  readonly #byJob = new Map<string, ReservationName[]>();

  constructor(queues: StateView['queues'], reservations: readonly { readonly name: ReservationName; readonly spec: ReservationSpec }[]) {
    this.#queues = queues;
    for (const { name, spec } of reservations) {
      if (spec.purpose === 'maintenance') continue;
      for (const user of spec.users) add(this.#byUser, user, name);
      for (const queue of spec.queues) add(this.#byQueue, queue, name);
      for (const job of spec.jobs) add(this.#byJob, job, name);
    }
  }

  get namesJobs(): boolean {
    return this.#byJob.size > 0;
  }

  of(job: Asker): Own {
    const found = [...(this.#byUser.get(job.user) ?? nobody), ...(this.#byJob.get(job.name) ?? nobody)];
    if (job.array !== null) found.push(...(this.#byJob.get(job.array.name) ?? nobody));
    if (this.#byQueue.size > 0)
      for (const queue of withAncestors(this.#queues, job.spec.queue)) found.push(...(this.#byQueue.get(queue) ?? nobody));
    if (found.length === 0) return none;
    const names = new Set(found.sort());
    return { names, key: [...names].join(' ') };
  }
}

const nobody: readonly ReservationName[] = [];

function add(map: Map<string, ReservationName[]>, key: string, name: ReservationName): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [name]);
  else known.push(name);
}
