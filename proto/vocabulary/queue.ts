import type { QueueName } from './ids.ts';

/** A Queue's spec, checked. Amounts are whole GPUs by model. */
export interface QueueSpec {
  /** null: a root of its own. */
  readonly parent: QueueName | null;
  /** The queue and all below it never hold more; a model that is not named is unlimited. */
  readonly limit: Readonly<Record<string, number>>;
  readonly perUser: { readonly limit: Readonly<Record<string, number>>; readonly maxRunning: number | null };
  /** Fields that parse but have no effect in this version, as the user wrote them (JSON), by path. */
  readonly unserved: Readonly<Record<string, string>>;
}
