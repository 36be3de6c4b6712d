import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '#vocabulary/assert.ts';
import type { Leadership } from '../../ports/leadership.ts';
import { StoreError } from '../../ports/store.ts';
import { isBusy, storeErrorFrom } from './sqliteFailure.ts';

export interface FileLeaseOptions {
  /** The store's folder; made with mode 0700 when it is not there. */
  readonly folder: string;
  /** How long `acquire` waits for another controller to end; 0 asks once. */
  readonly waitMs: number;
}

/** An open database that nobody refers to is closed when memory is collected, and its lock would be gone. */
const heldLocks = new Set<DatabaseSync>();

/** A controller that ends is followed within this time. */
const retryMs = 100;

/**
 * Leadership by a lock of the operating system, taken through SQLite (`BEGIN EXCLUSIVE` on leader.db), which has it working on every
 * platform: it dies with the process, so nothing has to run out after `kill -9`. Who holds it stands in leader.json, for messages only.
 *
 * Limits: one machine (network file systems lock badly), and nobody in this process may open leader.db by other means, because
 * closing any handle of a file drops the process's POSIX locks on it.
 */
export function fileLease(options: FileLeaseOptions): Leadership {
  return new FileLease(options);
}

class FileLease implements Leadership {
  readonly #options: FileLeaseOptions;
  readonly #lockFile: string;
  readonly #holderFile: string;
  #held: DatabaseSync | null = null;

  constructor(options: FileLeaseOptions) {
    this.#options = options;
    this.#lockFile = join(options.folder, 'leader.db');
    this.#holderFile = join(options.folder, 'leader.json');
  }

  async acquire(signal: AbortSignal): Promise<void> {
    assert(this.#held === null, 'a lease is acquired once');
    const deadline = performance.now() + this.#options.waitMs;
    for (;;) {
      signal.throwIfAborted();
      if (this.#tryAcquire()) return;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new StoreError('conflict', `another controller${this.#describeHolder()} holds ${this.#options.folder}`);
      await sleep(Math.min(retryMs, leftMs), undefined, { signal });
    }
  }

  release(): Promise<void> {
    const held = this.#held;
    if (held === null) return Promise.resolve();
    this.#held = null;
    rmSync(this.#holderFile, { force: true });
    heldLocks.delete(held);
    held.close();
    return Promise.resolve();
  }

  #tryAcquire(): boolean {
    try {
      mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
      const held = lock(this.#lockFile);
      if (held === null) return false;
      this.#held = held;
      heldLocks.add(held);
      this.#writeHolder();
      return true;
    } catch (error) {
      this.#held?.close();
      this.#held = null;
      throw storeErrorFrom(error, this.#lockFile);
    }
  }

  #writeHolder(): void {
    const draft = `${this.#holderFile}.new`;
    writeFileSync(draft, `${JSON.stringify({ pid: process.pid, since: new Date().toISOString() })}\n`);
    renameSync(draft, this.#holderFile);
  }

  /** Empty when the file does not say: the holder may be about to write it. */
  #describeHolder(): string {
    try {
      const holder: unknown = JSON.parse(readFileSync(this.#holderFile, 'utf8'));
      if (typeof holder !== 'object' || holder === null || !('pid' in holder) || !('since' in holder)) return '';
      return ` (pid ${String(holder.pid)}, since ${String(holder.since)})`;
    } catch {
      return '';
    }
  }
}

/** Null when another has it. */
function lock(file: string): DatabaseSync | null {
  const database = new DatabaseSync(file);
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw error;
  }
}
