import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { cases, longest } from '#test/cases.ts';
import { StoreError } from '../../ports/store.ts';
import { LineLog } from './lineLog.ts';
import { openDatabase, storeFileIn } from './openDatabase.ts';
import { storeErrorFrom } from './sqliteFailure.ts';

/** Damage is done to copies of two stores: one closed in order, one left by `kill -9` with everything in its write-ahead log. */
const base = mkdtempSync(join(tmpdir(), 'shoal-damage-'));
afterAll(() => rmSync(base, { recursive: true }));

const lines = Array.from({ length: 120 }, (_, index) => `line number ${index + 1} ${'x'.repeat((index * 37) % 300)}`);
const bodies = { older: 'older state '.repeat(800), newer: 'newer state '.repeat(800) };
const batchLines = 10;
const closed = makeStore('closed', { kill: false });
const killed = makeStore('killed', { kill: true });

describe('a damaged store is refused, named, and left as it is', () => {
  it.each([
    ['is no database', (file: string) => writeFileSync(file, 'this was a store once\n'.repeat(400)), 'not a database'],
    ['is empty', (file: string) => truncateSync(file, 0), 'is empty'],
    ['lost its second half', (file: string) => truncateSync(file, Math.floor(readFileSync(file).length / 8192) * 4096), 'malformed'],
    ['lost its end in the middle of a page', (file: string) => truncateSync(file, readFileSync(file).length - 1000), 'its end is missing'],
    ['is a database of another program', writeForeign, 'not of Shoal'],
    [
      'has lost a line',
      (file: string) => change(file, 'DELETE FROM lines WHERE revision = 115'),
      'should hold lines 61 to 120, and holds 59',
    ],
    ['has lost its last lines', (file: string) => change(file, 'DELETE FROM lines WHERE revision > 110'), 'should hold lines 61 to 120'],
    ['has lost its first lines', (file: string) => change(file, 'DELETE FROM lines WHERE revision < 70'), 'should hold lines 61 to 120'],
    ['says another head than it has', (file: string) => change(file, 'UPDATE head SET revision = 119'), 'fails its checksum'],
    ['has lost its head', (file: string) => change(file, 'DELETE FROM head'), 'names the last line is missing'],
    ['has lost a table', (file: string) => change(file, 'DROP TABLE snapshots'), 'no such table'],
  ])('when it %s', (_name, damage, want) => {
    const folder = copyOf(closed);
    const file = storeFileIn(folder);
    damage(file);
    const before = contentsOf(folder);
    const error = refusalOf(folder);
    expect(error.message).toContain(want);
    expect(error.message).toContain(file);
    expect(error.message).toContain('Nothing was changed. Stop the controller and restore a backup');
    expect(error.code).toBe('corrupt');
    expect(contentsOf(folder)).toEqual(before);
  });

  it('names both versions when a newer Shoal wrote it', () => {
    const folder = copyOf(closed);
    change(storeFileIn(folder), 'PRAGMA user_version = 9');
    expect(refusalOf(folder).message).toContain('its schema has version 9, and this Shoal knows version 1');
  });

  it('is not taken for a new store when only its write-ahead log is there', () => {
    const folder = copyOf(killed);
    rmSync(storeFileIn(folder));
    expect(refusalOf(folder).message).toContain('it is missing, but its write-ahead log is there');
    expect(existsSync(storeFileIn(folder))).toBe(false);
  });
});

describe('a changed line or snapshot is found when it is read', () => {
  it('names the line', () => {
    const folder = copyOf(closed);
    replaceBytes(storeFileIn(folder), 'line number 100 ', 'line number 900 ');
    const log = openLog(folder);
    expect(() => log.read(60, 1000)).toThrow(`${storeFileIn(folder)} is damaged: line 100 fails its checksum`);
    expect(log.read(60, 39)).toEqual(lines.slice(60, 99));
    log.close();
  });

  it('goes back to the older snapshot, from which the log still leads to the head', () => {
    const folder = copyOf(closed);
    replaceBytes(storeFileIn(folder), 'newer state', 'never state');
    const log = openLog(folder);
    expect(log.loadSnapshot()).toEqual({ revision: 60, body: bodies.older });
    expect(log.read(60, 1000)).toEqual(lines.slice(60));
    log.close();
  });
});

describe('no flipped byte invents or hides anything', () => {
  it('in the database file: it is refused, or everything reads as it was', { timeout: longest(60_000) }, () => {
    const size = readFileSync(storeFileIn(closed)).length;
    fc.assert(
      fc.property(fc.nat(size - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const read = readFlipped(closed, storeFileIn, at, mask);
        if (read !== null) expect(read).toEqual(lines.slice(60));
      }),
      { numRuns: cases(250) },
    );
  });

  it('in the write-ahead log: it is refused, or at most the very last commit is gone', { timeout: longest(60_000) }, () => {
    const size = readFileSync(walOf(killed)).length;
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(size - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const read = readFlipped(killed, walOf, at, mask);
        if (read === null) refused += 1;
        else expect([lines, lines.slice(0, -batchLines)]).toContainEqual(read);
      }),
      { numRuns: 250 },
    );
    expect(refused).toBeGreaterThan(150);
  });
});

/** 120 lines in appends of 10; the closed one with snapshots at 60 and 90 besides. */
function makeStore(name: string, { kill }: { readonly kill: boolean }): string {
  const folder = join(base, kill ? `${name}-live` : name);
  const log = openLog(folder);
  for (let after = 0; after < lines.length; after += batchLines)
    log.append({ after, epoch: 1, lines: lines.slice(after, after + batchLines) });
  if (kill) {
    // The files as they are at this moment are what a killed process leaves.
    const left = join(base, name);
    copyFolder(folder, left);
    log.close();
    return left;
  }
  log.saveSnapshot({ revision: 60, body: bodies.older });
  log.saveSnapshot({ revision: 90, body: bodies.newer });
  log.close();
  return folder;
}

let copies = 0;

function copyOf(folder: string): string {
  copies += 1;
  const copy = join(base, `copy-${copies}`);
  copyFolder(folder, copy);
  return copy;
}

function copyFolder(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) if (!name.endsWith('-shm')) copyFileSync(join(from, name), join(to, name));
}

function openLog(folder: string): LineLog {
  return new LineLog(openDatabase(folder, null), storeFileIn(folder));
}

function walOf(folder: string): string {
  return `${storeFileIn(folder)}-wal`;
}

function refusalOf(folder: string): StoreError {
  try {
    openLog(folder).close();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('the store was opened');
}

/** Null when it was refused as corrupt, at opening or at reading. */
function readFlipped(store: string, fileIn: (folder: string) => string, at: number, mask: number): string[] | null {
  const folder = copyOf(store);
  const file = fileIn(folder);
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at);
  writeFileSync(file, bytes);
  try {
    const log = openLog(folder);
    try {
      return log.read(store === closed ? 60 : 0, 1000);
    } finally {
      log.close();
    }
  } catch (error) {
    expect(storeErrorFrom(error, file).code).toBe('corrupt');
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** SHA-256 of every file by name; without the shared memory and the empty write-ahead log that any reader makes. */
function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter(
    (name) => !name.endsWith('-shm') && !(name.endsWith('-wal') && statSync(join(folder, name)).size === 0),
  );
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

function writeForeign(file: string): void {
  rmSync(file);
  change(file, 'CREATE TABLE notes (text TEXT)');
}

function replaceBytes(file: string, from: string, to: string): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  bytes.write(to, at);
  writeFileSync(file, bytes);
}
