import type { WorkerId } from '#vocabulary/job.ts';

export interface LogQuery {
  readonly id: WorkerId;
  readonly ranks: readonly number[];
  /** Null: both. */
  readonly stream: 'stdout' | 'stderr' | null;
  /** Goes on until the rank has ended. */
  readonly follow: boolean;
  /** Lines from the end; null: all that is kept. */
  readonly tail: number | null;
}

export interface LogChunk {
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
  /** Why this rank cannot be read (any further); empty: it can. */
  readonly error: string;
}

/** What ranks wrote, also after their end. */
export interface LogSource {
  readLogs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogChunk>;
}
