import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { headChecksum } from './checksum.ts';

/** Written to `PRAGMA user_version`; grows with each change of the tables. */
export const schemaVersion = 1;
export const pageBytes = 4096;
/** "Shol", written to `PRAGMA application_id`: tells our file from any other SQLite database. */
export const applicationId = 0x53686f6c;

/** `head` repeats what the last line says, so that a lost end of the log is seen, and keeps the epoch of an empty one. */
const tables = `
  CREATE TABLE lines (
    revision INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, text TEXT NOT NULL, checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE snapshots (revision INTEGER PRIMARY KEY, body TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
  CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, epoch INTEGER NOT NULL, checksum INTEGER NOT NULL
  ) STRICT;
  INSERT INTO head (id, revision, epoch, checksum) VALUES (1, 0, 0, ${headChecksum({ revision: 0, epoch: 0 })});
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Makes an empty store beside its place and moves it there whole. A file without tables is therefore never a store that
 * was about to be made: it is a damaged one.
 */
export function createStoreFile(file: string): void {
  const draft = `${file}.new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(draft + suffix, { force: true });
  const database = new DatabaseSync(draft);
  try {
    database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; ${tables} COMMIT;`);
  } finally {
    database.close();
  }
  // Its write-ahead log gets the mode of the file.
  chmodSync(draft, 0o600);
  renameSync(draft, file);
  syncFolder(dirname(file));
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
