import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileLease } from './fileLease.ts';

const never = new AbortController().signal;

describe('the lease on a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-lease-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has one holder, and names it to the next', async () => {
    const holder = fileLease({ folder, waitMs: 0 });
    const other = fileLease({ folder, waitMs: 0 });
    await holder.acquire(never);
    const want = new RegExp(`another controller \\(pid ${process.pid}, since 20.*Z\\) holds ${folder}`);
    await expect(other.acquire(never)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(want) });
    await holder.release();
    await other.acquire(never);
    await other.release();
  });

  it('goes to who waits, once it is given up', async () => {
    const holder = fileLease({ folder, waitMs: 0 });
    const waiting = fileLease({ folder, waitMs: 10_000 });
    await holder.acquire(never);
    const acquired = waiting.acquire(never);
    await holder.release();
    await acquired;
    await waiting.release();
  });

  it('is not waited for after the signal', async () => {
    const holder = fileLease({ folder, waitMs: 0 });
    await holder.acquire(never);
    const stop = new AbortController();
    const waiting = fileLease({ folder, waitMs: 60_000 }).acquire(stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow('abort');
    await holder.release();
  });

  it('dies with its process', async () => {
    const child = holdInAnotherProcess(folder);
    const [said] = await once(child.stdout, 'data');
    expect(String(said)).toBe('held\n');
    const next = fileLease({ folder, waitMs: 0 });
    await expect(next.acquire(never)).rejects.toThrow(`another controller (pid ${child.pid}`);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await next.acquire(never);
    expect(existsSync(join(folder, 'leader.json'))).toBe(true);
    await next.release();
    expect(existsSync(join(folder, 'leader.json'))).toBe(false);
  });

  it('may be released by who never had it', async () => {
    await fileLease({ folder, waitMs: 0 }).release();
  });

  it('says why it cannot be taken', async () => {
    const lease = fileLease({ folder: '/dev/null/data', waitMs: 0 });
    await expect(lease.acquire(never)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('/dev/null/data') });
  });
});

function holdInAnotherProcess(folder: string) {
  const script = `
    import { fileLease } from ${JSON.stringify(new URL('./fileLease.ts', import.meta.url).href)};
    await fileLease({ folder: process.argv[1], waitMs: 0 }).acquire(new AbortController().signal);
    console.log('held');
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
}
