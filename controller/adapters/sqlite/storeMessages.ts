import { assert } from '#vocabulary/assert.ts';
import type { StoreErrorCode } from '../../ports/store.ts';

/**
 * What the two sides of the store's thread say to each other. Both sides are this folder, so the types are a promise
 * between them and not a check; lines travel as one array of strings, which structured clone moves fastest.
 */
export type StoreCall =
  | { readonly kind: 'append'; readonly after: number; readonly epoch: number; readonly lines: readonly string[] }
  | { readonly kind: 'read'; readonly after: number; readonly limit: number }
  | { readonly kind: 'head' }
  | { readonly kind: 'saveSnapshot'; readonly revision: number; readonly body: string }
  | { readonly kind: 'loadSnapshot' }
  | { readonly kind: 'close' };

export type StoreAnswer =
  | { readonly kind: 'done' }
  /** `lines[i]` has revision `first + i`. */
  | { readonly kind: 'lines'; readonly first: number; readonly lines: readonly string[] }
  | { readonly kind: 'head'; readonly revision: number; readonly epoch: number }
  | { readonly kind: 'snapshot'; readonly snapshot: { readonly revision: number; readonly body: string } | null }
  | { readonly kind: 'failed'; readonly code: StoreErrorCode; readonly message: string };

/** Ids start at 1; the answer to id 0 tells how the opening went. */
export interface StoreRequest {
  readonly id: number;
  readonly call: StoreCall;
}

export interface StoreReply {
  readonly id: number;
  readonly answer: StoreAnswer;
}

export interface StoreWorkerData {
  readonly folder: string;
  /** The database file never grows beyond this; null for no bound but the disk. */
  readonly maxBytes: number | null;
}

export function parseStoreWorkerData(data: unknown): StoreWorkerData {
  assert(typeof data === 'object' && data !== null && 'folder' in data && 'maxBytes' in data, "the store's thread is told what to open");
  const { folder, maxBytes } = data;
  assert(typeof folder === 'string' && (maxBytes === null || typeof maxBytes === 'number'), "the store's thread is told what to open");
  return { folder, maxBytes };
}
