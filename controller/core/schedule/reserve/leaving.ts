import { currentAttempt } from '../../state/state.ts';
import type { StateView } from '../../state/view.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';

export interface Moment {
  readonly nowMs: number;
  /** From the end that a job promised until its GPUs are really free: to notice it, to kill, to be told. */
  readonly stopSlackMs: number;
}

/** What comes free when a job leaves. */
export interface Leaving {
  /** At the latest. */
  readonly atMs: number;
  readonly holds: readonly Hold[];
}

/** Running jobs that leave by a known time, the first one first; read only as far as somebody asks. */
export class LeavingList {
  readonly #known: Leaving[] = [];
  readonly #rest: Iterator<Leaving>;

  /** `surplus`: what elastic jobs can be asked to give back. */
  constructor(state: StateView, capacity: Capacity, moment: Moment, surplus: readonly Leaving[]) {
    const rest = leavingInOrder(state, capacity, moment, new Set(surplus.flatMap(({ holds }) => holds)));
    this.#rest =
      surplus.length === 0
        ? rest
        : merged(
            [...surplus].sort((left, right) => left.atMs - right.atMs),
            rest,
          );
  }

  at(index: number): Leaving | undefined {
    while (this.#known.length <= index) {
      const next = this.#rest.next();
      if (next.done === true) return undefined;
      this.#known.push(next.value);
    }
    return this.#known[index];
  }

  /** `count`, or less when the list is shorter. */
  reach(count: number): number {
    return this.at(count - 1) === undefined ? this.#known.length : count;
  }
}

/** Both are in order. */
function* merged(surplus: readonly Leaving[], others: Iterator<Leaving>): Generator<Leaving, undefined> {
  let other = others.next();
  for (const first of surplus) {
    for (; other.done !== true && other.value.atMs < first.atMs; other = others.next()) yield other.value;
    yield first;
  }
  for (; other.done !== true; other = others.next()) yield other.value;
}

/** But for what is `given` before. */
function* leavingInOrder(
  state: StateView,
  capacity: Capacity,
  { nowMs, stopSlackMs }: Moment,
  given: ReadonlySet<Hold>,
): Generator<Leaving, undefined> {
  const { order, atMs } = state.endings;
  for (const uid of order) {
    const job = state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    const nodes = new Set((attempt?.placement ?? []).map(({ node }) => capacity.topology.numberOf.get(node) ?? -1));
    const holds = [...nodes].flatMap((node) => capacity.holdsOf(node).filter((hold) => hold.owner === uid && !given.has(hold)));
    const dueMs = (atMs.get(uid) ?? nowMs) + stopSlackMs;
    // Who should be gone already is late by as much again.
    yield { atMs: dueMs > nowMs ? dueMs : nowMs + stopSlackMs, holds };
  }
}
