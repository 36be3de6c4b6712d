import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epoch, revision } from '#vocabulary/ids.ts';
import { openDatabase } from './openDatabase.ts';
import { openSqliteStore } from './sqliteStore.ts';

describe('the SQLite store', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'shoal-sqlite-'));
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('loads the file of its thread elsewhere without effect, as a first start does to have it compiled', async () => {
    await expect(import('./storeThread.ts')).resolves.toBeDefined();
  });

  it('makes its folder and file for its owner only', async () => {
    const folder = join(base, 'deep', 'data');
    const store = await openSqliteStore({ folder });
    await store.append({ after: revision(0), epoch: epoch(1), lines: ['a'] });
    const modes = ['', 'store.db', 'store.db-wal'].map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['700', '600', '600']);
    await store.close();
  });

  it('syncs every commit to the disk: no other test here would notice that it does not', () => {
    const folder = join(base, 'data');
    for (const opening of ['first', 'again']) {
      const database = openDatabase(folder, null);
      const settings = ['journal_mode', 'synchronous', 'fullfsync'].map((name) => database.prepare(`PRAGMA ${name}`).get()?.[name]);
      expect([opening, ...settings]).toEqual([opening, 'wal', 2, 1]);
      database.close();
    }
  });

  it('has every acknowledged line after kill -9 in the middle of its appends', async () => {
    const folder = join(base, 'data');
    const acknowledged = await appendUntilKilled(folder, 40);
    const store = await openSqliteStore({ folder });
    const { revision: last } = await store.head();
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    expect(last % 3).toBe(0);
    const lines = (await store.read(revision(0), last)).map(({ line }) => line);
    expect(lines).toEqual(Array.from({ length: last }, (_, index) => `line ${index + 1}`));
    await store.close();
  });

  it('says which folder it cannot make', async () => {
    const file = join(base, 'file');
    writeFileSync(file, '');
    const folder = join(file, 'data');
    await expect(openSqliteStore({ folder })).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(folder) });
  });

  it('gives up the opening when it is told to', async () => {
    const given = new AbortController();
    const opening = openSqliteStore({ folder: join(base, 'data'), signal: given.signal });
    given.abort(new Error('told to stop'));
    await expect(opening).rejects.toThrow('told to stop');
    await expect(openSqliteStore({ folder: join(base, 'data'), signal: given.signal })).rejects.toThrow('told to stop');
  });

  it('can be opened after an opening that was given up', async () => {
    const given = new AbortController();
    const opening = openSqliteStore({ folder: join(base, 'data'), signal: given.signal });
    given.abort();
    await expect(opening).rejects.toThrow('abort');
    const store = await openSqliteStore({ folder: join(base, 'data') });
    expect(await store.head()).toEqual({ revision: 0, epoch: 0 });
    await store.close();
  });
});

/** A process appends three lines at a time and prints each acknowledged revision; it is killed after so many. Gives the last one read. */
async function appendUntilKilled(folder: string, appends: number): Promise<number> {
  const script = `
    import { openSqliteStore } from ${JSON.stringify(new URL('./sqliteStore.ts', import.meta.url).href)};
    const store = await openSqliteStore({ folder: process.argv[1] });
    for (let after = 0; ; after += 3) {
      await store.append({ after, epoch: 1, lines: [1, 2, 3].map((add) => 'line ' + (after + add)) });
      console.log(after + 3);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged === appends * 3) child.kill('SIGKILL');
  }
  // It died of the signal, after appends, and not of a mistake in this script.
  expect(await ended).toEqual([null, 'SIGKILL']);
  return acknowledged;
}
