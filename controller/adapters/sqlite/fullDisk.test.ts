import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epoch, revision } from '#vocabulary/ids.ts';
import type { Store } from '../../ports/store.ts';
import { openSqliteStore } from './sqliteStore.ts';

const lineBytes = 4_000;

describe('a store without room', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-full-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('stores nothing of what it refuses, and takes appends again when snapshots have made room', async () => {
    const store = await openSqliteStore({ folder, maxBytes: 512 * 1024 });
    const { stored, message } = await fill(store);
    expect(message).toContain(join(folder, 'store.db'));
    expect(message).toContain('no room');
    expect(stored).toBeGreaterThan(50);
    await expectOnly(store, stored);
    await store.saveSnapshot({ revision: revision(stored - 1), body: 'small' });
    await store.saveSnapshot({ revision: revision(stored), body: 'small' });
    await store.append({ after: revision(stored), epoch: epoch(1), lines: ['again'] });
    expect(await store.read(revision(stored), 10)).toEqual([{ revision: stored + 1, line: 'again' }]);
    await store.close();
  });

  it('does so on a disk that really is full, and when somebody makes room on it', async (context) => {
    if (!mountSmallDisk(folder)) return context.skip('needs root on Linux to mount a disk of 4 MiB');
    try {
      await fillDiskAndMakeRoom(join(folder, 'data'), join(folder, 'ballast'));
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});

async function fillDiskAndMakeRoom(folder: string, ballast: string): Promise<void> {
  writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024, 1));
  const store = await openSqliteStore({ folder });
  const { stored, message } = await fill(store);
  expect(message).toContain(`Make room in ${folder}`);
  await expectOnly(store, stored);
  rmSync(ballast);
  await store.append({ after: revision(stored), epoch: epoch(1), lines: ['again'] });
  await store.close();
  const reopened = await openSqliteStore({ folder });
  expect(await reopened.head()).toEqual({ revision: stored + 1, epoch: 1 });
  await reopened.close();
}

/** Appends until it is refused, twice. */
async function fill(store: Store): Promise<{ readonly stored: number; readonly message: string }> {
  let stored = 0;
  for (;;) {
    const refusal = await tryAppend(store, stored);
    if (refusal === null) {
      stored += 2;
      continue;
    }
    expect(refusal).toMatchObject({ name: 'StoreError', code: 'full' });
    expect(await tryAppend(store, stored)).toMatchObject({ code: 'full' });
    return { stored, message: refusal instanceof Error ? refusal.message : '' };
  }
}

async function tryAppend(store: Store, after: number): Promise<unknown> {
  try {
    await store.append({ after: revision(after), epoch: epoch(1), lines: [textOf(after + 1), textOf(after + 2)] });
    return null;
  } catch (error) {
    return error;
  }
}

async function expectOnly(store: Store, stored: number): Promise<void> {
  expect(await store.head()).toEqual({ revision: stored, epoch: 1 });
  const read = await store.read(revision(0), stored + 10);
  expect(read.map(({ line }) => line)).toEqual(Array.from({ length: stored }, (_, index) => textOf(index + 1)));
}

function textOf(index: number): string {
  return `${index} `.padEnd(lineBytes, '.');
}

function mountSmallDisk(folder: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
