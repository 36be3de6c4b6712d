import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { headChecksum } from './checksum.ts';
import { integerIn, textIn } from './rows.ts';
import { applicationId, createStoreFile, pageBytes, schemaVersion } from './schema.ts';
import { corruptStore, storeErrorFrom } from './sqliteFailure.ts';
import { findWalDamage } from './walCheck.ts';

/** Another program that reads the file (a backup) may hold its lock for a moment. */
const busyMs = 5_000;
/** The write-ahead log is cut back to this after a large snapshot went through it. */
const keptWalBytes = 16 * 1024 * 1024;

export function storeFileIn(folder: string): string {
  return join(folder, 'store.db');
}

/**
 * Opens the store of a folder, or makes an empty one. Everything is checked on a read-only connection first: the first
 * writing one would fold the write-ahead log into the file, and a damaged store must stay as it was found.
 */
export function openDatabase(folder: string, maxBytes: number | null): DatabaseSync {
  const file = storeFileIn(folder);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (existsSync(file)) checkStoreFile(file);
    else createFirst(file);
    return openForWriting(file, maxBytes);
  } catch (error) {
    throw storeErrorFrom(error, file);
  }
}

function createFirst(file: string): void {
  if (walBytes(file) > 0) throw corruptStore(file, 'it is missing, but its write-ahead log is there');
  createStoreFile(file);
}

/** 0 also when there is none: a reader leaves an empty one behind. */
function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function openForWriting(file: string, maxBytes: number | null): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyMs });
  try {
    // fullfsync is for macOS, where fsync alone does not empty the disk's own cache.
    database.exec(`
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
      PRAGMA journal_size_limit = ${keptWalBytes}; PRAGMA temp_store = MEMORY;
    `);
    if (maxBytes !== null) database.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageBytes)}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function checkStoreFile(file: string): void {
  if (statSync(file).size === 0) throw corruptStore(file, 'it is empty');
  // The main file is never opened past SQLite: closing such a handle would drop this process's locks on it (POSIX).
  const walDamage = walBytes(file) === 0 ? null : findWalDamage(readFileSync(`${file}-wal`));
  if (walDamage !== null) throw corruptStore(file, walDamage);
  const database = new DatabaseSync(file, { readOnly: true, timeout: busyMs });
  try {
    checkKind(database, file);
    checkPages(database, file);
    checkLog(database, file);
  } finally {
    database.close();
  }
}

function checkKind(database: DatabaseSync, file: string): void {
  const application = integerIn(database.prepare('PRAGMA application_id').get(), 'application_id');
  if (application !== applicationId) throw corruptStore(file, `it is an SQLite database, but not of Shoal (application id ${application})`);
  const version = integerIn(database.prepare('PRAGMA user_version').get(), 'user_version');
  if (version === schemaVersion) return;
  throw corruptStore(
    file,
    `its schema has version ${version}, and this Shoal knows version ${schemaVersion}: start the Shoal that wrote it`,
  );
}

function checkPages(database: DatabaseSync, file: string): void {
  // SQLite fills a page that is cut off with zeros. With a write-ahead log the file may end anywhere: the log has the page.
  const { size } = statSync(file);
  if (size % pageBytes !== 0 && walBytes(file) === 0) {
    throw corruptStore(file, `its size of ${size} bytes is no whole number of pages: its end is missing`);
  }
  const found = database
    .prepare('PRAGMA quick_check(5)')
    .all()
    .map((row) => textIn(row, 'quick_check') ?? 'unreadable');
  if (found.length !== 1 || found[0] !== 'ok') throw corruptStore(file, found.join('; '));
}

/** Lines without gaps from the older of two snapshots (else from 1) to the head. Their checksums are checked when they are read. */
function checkLog(database: DatabaseSync, file: string): void {
  const head = database.prepare('SELECT revision, epoch, checksum FROM head WHERE id = 1').get();
  const revision = integerIn(head, 'revision');
  const epoch = integerIn(head, 'epoch');
  if (revision === null || epoch === null) throw corruptStore(file, 'the row that names the last line is missing');
  if (integerIn(head, 'checksum') !== headChecksum({ revision, epoch }))
    throw corruptStore(file, 'the row that names the last line fails its checksum');
  const lines = database.prepare('SELECT count(*) AS count, min(revision) AS first, max(revision) AS last FROM lines').get();
  const count = integerIn(lines, 'count') ?? 0;
  const base = droppedUpTo(database);
  if (count === revision - base && (count === 0 || (integerIn(lines, 'first') === base + 1 && integerIn(lines, 'last') === revision)))
    return;
  throw corruptStore(file, `it should hold lines ${base + 1} to ${revision}, and holds ${count}`);
}

/** Lines up to this revision are in both snapshots and were dropped; 0 while there are fewer than two. */
export function droppedUpTo(database: DatabaseSync): number {
  const row = database.prepare('SELECT revision FROM snapshots ORDER BY revision DESC LIMIT 1 OFFSET 1').get();
  return integerIn(row, 'revision') ?? 0;
}
