import type { NodeName, ReservationName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Occurrence } from '#vocabulary/reservation.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Context } from '../context.ts';
import { calendarOf, occurrenceAfter } from '../reservations/calendar.ts';
import { Entitlements } from '../reservations/entitlements.ts';
import type { Asker, Kept } from '../reservations/mayRun.ts';
import { closesBefore, mayBeGuest } from '../reservations/mayRun.ts';
import { nodesOf } from '../reservations/reservedNodes.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView, ReservationView, StateView } from '../state/view.ts';
import type { Capacity } from './capacity/capacity.ts';
import { drawMask } from './closedMask.ts';
import type { AllowedNodes } from './gang/gangRequest.ts';

/**
 * What reservations leave to a job, as a mask of nodes: the one way by which they reach placement, so that whatever asks
 * "does it fit?" (a pass, a plan, a promise, a search for victims) sees the same. One for a pass.
 *
 * Jobs are many and reservations few. Those that close to a job that starts now are, apart from those that are its own, the first
 * ones by their start: how many follows from when it is gone at the latest. So a job costs two binary searches, and what comes
 * of them is remembered.
 */
export interface Closed extends AllowedNodes {
  readonly by: readonly Closing[];
}

/** A reservation that keeps its nodes from a job. */
export interface Closing extends Kept {
  readonly name: ReservationName;
  readonly nodes: readonly NodeName[];
}

/**
 * `start`: where a job may be put now. `claim`: what may be made free or kept for it. A guest may use what is free, and that is
 * all: nobody leaves for it, and nothing is promised to it where others have the right to be.
 */
export type Use = 'start' | 'claim';

export class ClosedNodes {
  readonly #state: StateView;
  readonly #context: Context;
  readonly #capacity: Capacity;
  /** Those that are not over, by the start of the occurrence that is under way or next, then by name. */
  readonly #planned: readonly Closing[];
  /** Places in `#planned`, by how jobs drain towards them. */
  readonly #byDrain: { readonly suspend: readonly number[]; readonly runtime: readonly number[] };
  readonly #entitlements: Entitlements;
  readonly #known = new Map<string, Closed | null>();

  constructor(state: StateView, context: Context, capacity: Capacity) {
    this.#state = state;
    this.#context = context;
    this.#capacity = capacity;
    this.#planned = state.reservations.size === 0 ? nothing : readPlanned(state, context.policy.levels);
    this.#entitlements = new Entitlements(state.queues, this.#planned);
    const places = this.#planned.map((_, at) => at);
    const drains = (drain: 'suspend' | 'runtime'): readonly number[] => places.filter((at) => this.#planned[at]?.spec.drain === drain);
    this.#byDrain = { suspend: drains('suspend'), runtime: drains('runtime') };
  }

  /** Jobs may be told apart by their names: those that are alike otherwise are not. */
  get namesJobs(): boolean {
    return this.#entitlements.namesJobs;
  }

  /** Nodes on which the job may not start at `fromMs`; null: none. */
  closedTo(job: Asker, fromMs: number, use: Use): Closed | null {
    if (this.#planned.length === 0) return null;
    if (fromMs !== this.#context.nowMs) return this.#closedLater(job, fromMs, use);
    const own = this.#entitlements.of(job);
    const [asked, bound] = [this.#before(job, 'suspend'), this.#before(job, 'runtime')];
    const isGuest = job.spec.preemptible && job.spec.minRuntimeMs === 0;
    return this.#remember(`${use} ${asked} ${bound} ${isGuest ? 'guest' : ''} ${own.key}`, () => {
      const places = [...this.#byDrain.suspend.slice(0, asked), ...this.#byDrain.runtime.slice(0, bound)];
      const by = places.flatMap((at) => this.#planned[at] ?? []).filter((one) => !own.names.has(one.name) && !this.#isLent(one, job, use));
      return this.#maskOf(by, 0);
    });
  }

  /** The same without one of those that close; null: nothing is left. */
  without({ by }: Closed, name: ReservationName): Closed | null {
    return this.#maskOf(
      by.filter((closing) => closing.name !== name),
      0,
    );
  }

  /** Nodes that are reserved for the job now, among others; null: none. */
  ownOf(job: Asker): Closed | null {
    if (this.#planned.length === 0) return null;
    const own = this.#entitlements.of(job);
    if (own.names.size === 0) return null;
    return this.#remember(`own ${own.key}`, () =>
      this.#maskOf(
        this.#planned.filter((one) => own.names.has(one.name) && this.#isUnderWay(one)),
        1,
      ),
    );
  }

  /** What tells jobs apart that ask for the same; empty: no reservation does. */
  keyOf(job: Asker, nowMs: number): string {
    if (this.#planned.length === 0) return '';
    return `${this.closedTo(job, nowMs, 'start')?.key ?? ''}|${this.closedTo(job, nowMs, 'claim')?.key ?? ''}|${this.ownOf(job)?.key ?? ''}`;
  }

  /** Whether a part of the place is closed to the job now. */
  closes(job: Asker, placement: Placement, use: Use): boolean {
    const closed = this.closedTo(job, this.#context.nowMs, use);
    return closed !== null && placement.some(({ node }) => closed.mask[this.#capacity.topology.numberOf.get(node) ?? -1] === 0);
  }

  /** Whether the job uses what is reserved for the other one, as a guest who goes when that one wants it. */
  isGuestOf(guest: JobView, host: Asker): boolean {
    const lent = this.#lentTo(host);
    if (lent.length === 0 || !guest.spec.preemptible) return false;
    const own = this.#entitlements.of(guest);
    const nodes = [...new Set((currentAttempt(guest)?.placement ?? []).map(({ node }) => node))];
    return lent.some((one) => !own.names.has(one.name) && nodes.some((node) => one.nodes.includes(node)));
  }

  /** Whether somebody may use what is reserved for the job. */
  mayHaveGuests(job: Asker): boolean {
    return this.#lentTo(job).length > 0;
  }

  /** Ends of maintenance that keeps nodes from the job at this time, the first one first. */
  opensAt(job: Asker, afterMs: number): readonly number[] {
    const by = this.closedTo(job, afterMs, 'claim')?.by ?? [];
    const mended = by.filter(({ spec }) => spec.purpose === 'maintenance');
    return [...new Set(mended.map(({ occurrence }) => occurrence.endMs))].sort((left, right) => left - right);
  }

  #lentTo(host: Asker): readonly Closing[] {
    return this.ownOf(host)?.by.filter(({ spec }) => spec.lend) ?? nothing;
  }

  #isUnderWay({ occurrence }: Kept): boolean {
    return occurrence.startMs <= this.#context.nowMs && this.#context.nowMs < occurrence.endMs;
  }

  #isLent(one: Kept, job: Asker, use: Use): boolean {
    return mayBeGuest(one.spec, job) && (use === 'start' || one.occurrence.startMs > this.#context.nowMs);
  }

  /** How many of those with this drain begin before the job is gone, if it starts now. */
  #before(job: Asker, drain: 'suspend' | 'runtime'): number {
    const places = this.#byDrain[drain];
    if (places.length === 0) return 0;
    const { nowMs, policy } = this.#context;
    const untilMs = Math.max(nowMs + 1, closesBefore(drain, job, nowMs, policy));
    let [low, high] = [0, places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const place = places[middle];
      if ((place === undefined ? Infinity : (this.#planned[place]?.occurrence.startMs ?? Infinity)) < untilMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** For a promise: at another time other occurrences are next. */
  #closedLater(job: Asker, fromMs: number, use: Use): Closed | null {
    const own = this.#entitlements.of(job);
    const by = this.#planned.flatMap((planned) => {
      if (own.names.has(planned.name)) return [];
      // Those who are named may still be there when it is over: of what is theirs until then no time is known for anybody else.
      const isOpenEnded = use === 'claim' && planned.spec.purpose === 'use';
      const occurrence = isOpenEnded ? planned.occurrence : this.#occurrenceAt(planned, fromMs);
      if (occurrence === null) return [];
      const isBegun = occurrence.startMs <= fromMs;
      if (mayBeGuest(planned.spec, job) && (use === 'start' || !isBegun)) return [];
      const isClosed = isBegun || occurrence.startMs < closesBefore(planned.spec.drain, job, fromMs, this.#context.policy);
      return isClosed ? [{ ...planned, occurrence }] : [];
    });
    return this.#maskOf(by, 0);
  }

  /** Under way then, or the next one from then on. */
  #occurrenceAt({ name, occurrence }: Closing, atMs: number): Occurrence | null {
    if (atMs < occurrence.endMs) return occurrence;
    const reservation = this.#state.reservations.get(name);
    return reservation === undefined ? null : occurrenceAfter(calendarOf(reservation), atMs);
  }

  #remember(key: string, make: () => Closed | null): Closed | null {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(key, made);
    return made;
  }

  #maskOf(by: readonly Closing[], inside: 0 | 1): Closed | null {
    if (by.length === 0) return null;
    const stamps = by.map(({ name }) => `${name}@${this.#state.reservations.get(name)?.changedAt ?? 0}`).sort();
    return { ...drawMask(this.#capacity, stamps.join(' '), { nodes: () => by.flatMap(({ nodes }) => nodes), inside }), by };
  }
}

const nothing: readonly Closing[] = [];

function readPlanned(state: StateView, levels: Levels): readonly Closing[] {
  const closingOf = (reservation: ReservationView): readonly Closing[] => {
    const { name, spec, occurrence } = reservation;
    return occurrence === null ? [] : [{ name, spec, occurrence, nodes: nodesOf(state, levels, reservation) }];
  };
  return [...state.reservations.values()]
    .flatMap(closingOf)
    .sort((left, right) => left.occurrence.startMs - right.occurrence.startMs || (left.name < right.name ? -1 : 1));
}
