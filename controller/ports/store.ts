import type { Epoch, Revision } from '#vocabulary/ids.ts';

/**
 * Where the log is kept. Events are opaque lines here; each has the revision of its predecessor plus one.
 * Adapters: sqlite, memory. Both pass test/conformance/store.ts.
 */
export interface Store {
  /** Durable when it resolves: all lines or none. Throws StoreError; `conflict` when `after` or `epoch` is stale. */
  append(batch: AppendBatch): Promise<void>;
  /** Lines after a revision, in order, at most `limit`. Throws `corrupt` for a gap or a line that fails its checksum. */
  read(after: Revision, limit: number): Promise<readonly StoredLine[]>;
  /** Revision of the last line, epoch of the last append; 0 and 0 when empty. */
  head(): Promise<{ readonly revision: Revision; readonly epoch: Epoch }>;
  /** Keeps the newest two snapshots; lines that both of them contain are dropped. */
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  /** The newest snapshot that passes its checksum; null when there is none. */
  loadSnapshot(): Promise<Snapshot | null>;
  close(): Promise<void>;
}

export interface AppendBatch {
  readonly after: Revision;
  readonly epoch: Epoch;
  /** At least one. */
  readonly lines: readonly string[];
}

export interface StoredLine {
  readonly revision: Revision;
  readonly line: string;
}

/** A state folded up to and including `revision`. */
export interface Snapshot {
  readonly revision: Revision;
  readonly body: string;
}

/** full: no room (try again later) · unavailable: other I/O trouble · conflict: another leader · corrupt: never repaired here. */
export type StoreErrorCode = 'full' | 'unavailable' | 'conflict' | 'corrupt';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}
