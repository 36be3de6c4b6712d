import type { QueueName } from './ids.ts';

/** Workloads of serving queues come before all batch ones. */
export type QueueClass = 'serving' | 'batch';

/** A Queue's spec, checked. Amounts are whole GPUs by model. */
export interface QueueSpec {
  /** null: a root of its own. */
  readonly parent: QueueName | null;
  /** What the queue gets back when it wants it. A model that is not named: what the queues below are guaranteed together. */
  readonly guaranteed: Readonly<Record<string, number>>;
  /** The queue and all below it never hold more; a model that is not named is unlimited. */
  readonly limit: Readonly<Record<string, number>>;
  /** Share of what is left over, among the queues of one parent: finite, 0..1,000,000. 0: only what nobody else wants. */
  readonly weight: number;
  /** After this time past usage counts half. null: past usage does not count. */
  readonly halfLifeMs: number | null;
  /** `serving` holds for the queues below it too. */
  readonly class: QueueClass;
  /** The queue and all below it start nothing. */
  readonly hold: boolean;
  readonly perUser: { readonly limit: Readonly<Record<string, number>>; readonly maxRunning: number | null };
  /** Fields that parse but have no effect in this version, as the user wrote them (JSON), by path. */
  readonly unserved: Readonly<Record<string, string>>;
}

/** A queue of which nothing is said: a root without quota. */
export const defaultQueueSpec: QueueSpec = {
  parent: null,
  guaranteed: {},
  limit: {},
  weight: 1,
  halfLifeMs: null,
  class: 'batch',
  hold: false,
  perUser: { limit: {}, maxRunning: null },
  unserved: {},
};
