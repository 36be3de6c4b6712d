import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StoreError } from '../../ports/store.ts';
import { headChecksum, lineChecksum, snapshotChecksum } from './checksum.ts';
import { droppedUpTo } from './openDatabase.ts';
import { integerIn, textIn } from './rows.ts';
import { corruptStore } from './sqliteFailure.ts';

interface Head {
  readonly revision: number;
  readonly epoch: number;
}

/** The log and its snapshots in one open database. Synchronous: it lives in the store's thread. Throws errors of SQLite as they are. */
export class LineLog {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #selectHead: StatementSync;
  readonly #updateHead: StatementSync;
  readonly #insertLine: StatementSync;
  readonly #selectLines: StatementSync;

  constructor(database: DatabaseSync, file: string) {
    this.#database = database;
    this.#file = file;
    this.#selectHead = database.prepare('SELECT revision, epoch, checksum FROM head WHERE id = 1');
    this.#updateHead = database.prepare('UPDATE head SET revision = ?, epoch = ?, checksum = ? WHERE id = 1');
    this.#insertLine = database.prepare('INSERT INTO lines (revision, epoch, text, checksum) VALUES (?, ?, ?, ?)');
    this.#selectLines = database.prepare('SELECT revision, epoch, text, checksum FROM lines WHERE revision > ? ORDER BY revision LIMIT ?');
  }

  head(): Head {
    const row = this.#selectHead.get();
    const revision = integerIn(row, 'revision');
    const epoch = integerIn(row, 'epoch');
    if (revision === null || epoch === null || integerIn(row, 'checksum') !== headChecksum({ revision, epoch })) {
      throw corruptStore(this.#file, 'the row that names the last line fails its checksum');
    }
    return { revision, epoch };
  }

  append(batch: { readonly after: number; readonly epoch: number; readonly lines: readonly string[] }): void {
    this.#transaction(() => {
      const head = this.head();
      if (batch.epoch < head.epoch) {
        throw new StoreError('conflict', `epoch ${batch.epoch} is over: the log already has lines of epoch ${head.epoch}`);
      }
      if (batch.after !== head.revision) {
        throw new StoreError('conflict', `the last line is ${head.revision}, not ${batch.after}: another leader writes this log`);
      }
      let revision = head.revision;
      for (const text of batch.lines) {
        revision += 1;
        this.#insertLine.run(revision, batch.epoch, text, lineChecksum({ revision, epoch: batch.epoch, text }));
      }
      this.#updateHead.run(revision, batch.epoch, headChecksum({ revision, epoch: batch.epoch }));
    });
  }

  /** Lines `after + 1`, `after + 2`, …, at most `limit`. */
  read(after: number, limit: number): string[] {
    const want = Math.min(limit, Math.max(0, this.head().revision - after));
    const rows = this.#selectLines.all(after, want);
    if (rows.length < want && after < droppedUpTo(this.#database)) {
      throw corruptStore(this.#file, `line ${after + 1} was asked for, and is only in the snapshots`);
    }
    const lines: string[] = [];
    for (let revision = after + 1; revision <= after + want; revision += 1) {
      const row = rows[revision - after - 1];
      const epoch = integerIn(row, 'epoch');
      const text = textIn(row, 'text');
      if (epoch === null || text === null || integerIn(row, 'revision') !== revision)
        throw corruptStore(this.#file, `line ${revision} is missing`);
      if (integerIn(row, 'checksum') !== lineChecksum({ revision, epoch, text })) {
        throw corruptStore(this.#file, `line ${revision} fails its checksum`);
      }
      lines.push(text);
    }
    return lines;
  }

  /**
   * What is dropped goes first, so that a snapshot can use its room: on a full store this is what makes room again.
   */
  saveSnapshot(snapshot: { readonly revision: number; readonly body: string }): void {
    this.#transaction(() => {
      const head = this.head();
      if (snapshot.revision > head.revision) {
        throw new StoreError('conflict', `a snapshot of revision ${snapshot.revision} cannot be kept: the last line is ${head.revision}`);
      }
      const others = this.#snapshotRevisions().filter((revision) => revision !== snapshot.revision);
      const kept = [...others, snapshot.revision].toSorted((left, right) => right - left).slice(0, 2);
      const drop = this.#database.prepare('DELETE FROM snapshots WHERE revision = ?');
      for (const revision of others) if (!kept.includes(revision)) drop.run(revision);
      drop.run(snapshot.revision);
      const older = kept[1];
      if (older !== undefined) this.#database.prepare('DELETE FROM lines WHERE revision <= ?').run(older);
      if (!kept.includes(snapshot.revision)) return;
      const insert = this.#database.prepare('INSERT INTO snapshots (revision, body, checksum) VALUES (?, ?, ?)');
      insert.run(snapshot.revision, snapshot.body, snapshotChecksum(snapshot));
    });
  }

  /** The newest that passes its checksum. */
  loadSnapshot(): { readonly revision: number; readonly body: string } | null {
    for (const revision of this.#snapshotRevisions()) {
      const row = this.#database.prepare('SELECT body, checksum FROM snapshots WHERE revision = ?').get(revision);
      const body = textIn(row, 'body');
      if (body !== null && integerIn(row, 'checksum') === snapshotChecksum({ revision, body })) return { revision, body };
    }
    return null;
  }

  close(): void {
    this.#database.close();
  }

  /** Newest first. */
  #snapshotRevisions(): number[] {
    const rows = this.#database.prepare('SELECT revision FROM snapshots ORDER BY revision DESC').all();
    return rows.flatMap((row) => integerIn(row, 'revision') ?? []);
  }

  #transaction(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite itself may have rolled back already, as it does on a full disk.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}
