import type { JournalEntry } from '../core/journalEntry.ts';

/** The agent's own small memory. What was appended is there after `kill -9` and after a loss of power. */
export interface Journal {
  /** Everything appended, in order. Once, before anything else. Throws when the file cannot be trusted. */
  read(): Promise<readonly JournalEntry[]>;
  /** Durable when it resolves. One at a time. After a rejection nothing of it counts, and it may be tried again. */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** Replaces everything. Durable when it resolves; before, the old content holds. */
  rewrite(entries: readonly JournalEntry[]): Promise<void>;
  /** How long the file is now. */
  sizeBytes(): number;
  close(): Promise<void>;
}
