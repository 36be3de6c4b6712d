import type { ReservationRecord } from '../reservations/record.ts';
import type { AttemptRecord, JobRecord, NodeState, QueueRecord, State } from './state.ts';

/** The same thing, not to be changed. */
export type View<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends Map<infer K, infer V>
    ? ReadonlyMap<K, View<V>>
    : T extends Set<infer V>
      ? ReadonlySet<View<V>>
      : T extends readonly (infer V)[]
        ? readonly View<V>[]
        : T extends string | number | bigint | boolean | null | undefined
          ? T
          : T extends object
            ? { readonly [K in keyof T]: View<T[K]> }
            : T;

export type StateView = View<State>;
export type JobView = View<JobRecord>;
export type AttemptView = View<AttemptRecord>;
export type NodeView = View<NodeState>;
export type QueueView = View<QueueRecord>;
export type ReservationView = View<ReservationRecord>;
