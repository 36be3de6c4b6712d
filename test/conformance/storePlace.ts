import type { Store } from '#controller/ports/store.ts';

/** One place where a store keeps its log. */
export interface StorePlace {
  /** Opens it, again or for the first time, also while another store is open on it. */
  open(): Promise<Store>;
  /** After every store was closed: takes the place away. */
  dispose(): Promise<void>;
}
