import type { NodeName, ReservationName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Context } from '../context.ts';
import { calendarOf, occurrenceAfter } from '../reservations/calendar.ts';
import type { Asker, Kept } from '../reservations/mayRun.ts';
import { isEntitled, isGoneBefore, mayBeGuest } from '../reservations/mayRun.ts';
import { nodesOf } from '../reservations/reservedNodes.ts';
import type { ReservationView, StateView } from '../state/view.ts';
import type { Capacity } from './capacity/capacity.ts';
import type { AllowedNodes } from './gang/gangRequest.ts';

/**
 * What reservations leave to a job, as a mask of nodes: the one way by which they reach placement, so that whatever asks
 * "does it fit?" (a pass, a plan, a promise, a search for victims) sees the same. It follows from the state, the job and the
 * time; nothing of it is kept but masks, whose keys name all that they were made of.
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

/** Masks that are kept: jobs differ in which reservations are open to them. */
const masksMax = 64;
const masks = new WeakMap<Capacity, Map<string, Uint8Array>>();

export class ClosedNodes {
  readonly #state: StateView;
  readonly #context: Context;
  readonly #capacity: Capacity;
  /** By name; those that are over are left out. */
  readonly #reservations: readonly ReservationView[];

  constructor(state: StateView, context: Context, capacity: Capacity) {
    this.#state = state;
    this.#context = context;
    this.#capacity = capacity;
    this.#reservations = [...state.reservations.values()]
      .filter(({ occurrence }) => occurrence !== null)
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  get levels(): Levels {
    return this.#context.policy.levels;
  }

  /** Nodes on which the job may not start at `fromMs`; null: none. */
  closedTo(job: Asker, fromMs: number, use: Use): Closed | null {
    if (this.#reservations.length === 0) return null;
    const by = this.#reservations.flatMap((reservation) => this.#closing(reservation, job, fromMs, use) ?? []);
    return by.length === 0 ? null : this.#maskOf(by, 0);
  }

  /** The same without one of those that close; null: nothing is left. */
  without({ by }: Closed, name: ReservationName): Closed | null {
    const others = by.filter((closing) => closing.name !== name);
    return others.length === 0 ? null : this.#maskOf(others, 0);
  }

  /** Nodes that are reserved for the job now, among others; null: none. */
  ownOf(job: Asker): Closed | null {
    if (this.#reservations.length === 0) return null;
    const { nowMs } = this.#context;
    const by = this.#reservations.flatMap((reservation) => {
      const { spec, occurrence } = reservation;
      const isNow = occurrence !== null && occurrence.startMs <= nowMs && nowMs < occurrence.endMs;
      return isNow && isEntitled(this.#state, spec, job) ? [this.#closingOf(reservation, { spec, occurrence })] : [];
    });
    return by.length === 0 ? null : this.#maskOf(by, 1);
  }

  /** What tells jobs apart that ask for the same; empty: no reservation does. */
  keyOf(job: Asker, nowMs: number): string {
    if (this.#reservations.length === 0) return '';
    return `${this.closedTo(job, nowMs, 'start')?.key ?? ''}${this.closedTo(job, nowMs, 'claim')?.key ?? ''}${this.ownOf(job)?.key ?? ''}`;
  }

  /** Whether the job uses what is reserved for the other one, as a guest who goes when that one wants it. */
  isGuestOf(guest: Asker, nodes: readonly NodeName[], host: Asker): boolean {
    const { nowMs } = this.#context;
    return this.#reservations.some((reservation) => {
      const { spec, occurrence } = reservation;
      if (!spec.lend || occurrence === null || nowMs < occurrence.startMs || nowMs >= occurrence.endMs) return false;
      if (!guest.spec.preemptible || !isEntitled(this.#state, spec, host) || isEntitled(this.#state, spec, guest)) return false;
      const members = nodesOf(this.#state, this.levels, reservation);
      return nodes.some((node) => members.includes(node));
    });
  }

  /** Whether somebody may use what is reserved for the job. */
  mayHaveGuests(job: Asker): boolean {
    return this.#reservations.some(({ spec }) => spec.lend) && (this.ownOf(job)?.by.some(({ spec }) => spec.lend) ?? false);
  }

  /** Whether a part of the place is closed to the job now. */
  closes(job: Asker, placement: Placement, use: Use): boolean {
    const closed = this.closedTo(job, this.#context.nowMs, use);
    return closed !== null && placement.some(({ node }) => closed.mask[this.#capacity.topology.numberOf.get(node) ?? -1] === 0);
  }

  /** Ends of maintenance that keeps nodes from the job at this time, the first one first. */
  opensAt(job: Asker, afterMs: number): readonly number[] {
    const by = this.closedTo(job, afterMs, 'claim')?.by ?? [];
    const mended = by.filter(({ spec }) => spec.purpose === 'maintenance');
    return [...new Set(mended.map(({ occurrence }) => occurrence.endMs))].sort((left, right) => left - right);
  }

  #closing(reservation: ReservationView, job: Asker, fromMs: number, use: Use): Closing | null {
    const { spec } = reservation;
    // Those who are named may still be there when it is over: of what is theirs until then no time is known for anybody else.
    const isOpenEnded = use === 'claim' && spec.purpose === 'use';
    const occurrence = this.#occurrenceAt(reservation, isOpenEnded ? this.#context.nowMs : fromMs);
    if (occurrence === null || isEntitled(this.#state, spec, job)) return null;
    const isUnderWay = occurrence.startMs <= fromMs;
    if (mayBeGuest(spec, job) && (use === 'start' || !isUnderWay)) return null;
    if (!isUnderWay && isGoneBefore({ spec, occurrence }, job, fromMs, this.#context.policy)) return null;
    return this.#closingOf(reservation, { spec, occurrence });
  }

  #closingOf(reservation: ReservationView, kept: Kept): Closing {
    return { name: reservation.name, ...kept, nodes: nodesOf(this.#state, this.levels, reservation) };
  }

  /** Under way then, or the next one from then on. */
  #occurrenceAt(reservation: ReservationView, atMs: number): Kept['occurrence'] | null {
    const { occurrence } = reservation;
    return occurrence === null || atMs < occurrence.endMs ? occurrence : occurrenceAfter(calendarOf(reservation), atMs);
  }

  /** `inside`: what the mask says of the reservations' nodes; of all others the contrary. */
  #maskOf(by: readonly Closing[], inside: 0 | 1): Closed {
    const stamps = by.map(({ name }) => `${name}@${this.#state.reservations.get(name)?.changedAt ?? 0}`);
    const key = `${inside === 0 ? 'not' : 'in'} ${stamps.join(' ')}`;
    const known = masks.get(this.#capacity) ?? new Map<string, Uint8Array>();
    masks.set(this.#capacity, known);
    let mask = known.get(key);
    if (mask === undefined) {
      mask = this.#drawMask(by, inside);
      if (known.size >= masksMax) known.clear();
      known.set(key, mask);
    }
    return { key, mask, by };
  }

  #drawMask(by: readonly Closing[], inside: 0 | 1): Uint8Array {
    const { topology, nodes } = this.#capacity;
    const mask = new Uint8Array(nodes).fill(1 - inside);
    for (const closing of by) {
      for (const name of closing.nodes) {
        const node = topology.numberOf.get(name);
        if (node !== undefined) mask[node] = inside;
      }
    }
    return mask;
  }
}

/** Nodes of both; null: all. */
export function bothAllow(left: AllowedNodes | null, right: AllowedNodes | null): AllowedNodes | null {
  if (left === null || right === null) return left ?? right;
  return { key: `${left.key} & ${right.key}`, mask: left.mask.map((allowed, node) => allowed & (right.mask[node] ?? 0)) };
}
