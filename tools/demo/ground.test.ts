import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { binFolderOf, clearFolder, markOf } from './ground.ts';
import { endHard } from './processes.ts';

async function idleWith(folder: string): Promise<ChildProcess> {
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { env, stdio: 'ignore' });
  await once(child, 'spawn');
  return child;
}

test('to end a demo ends what it started, and not what runs in a shell that has its shoal in the PATH', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-demo-test-'));
  const [own, other] = [await idleWith(markOf(folder)), await idleWith(binFolderOf(folder))];
  const ended = once(own, 'exit');
  try {
    await clearFolder(folder);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect([other.exitCode, other.signalCode]).toEqual([null, null]);
    expect(existsSync(folder)).toBe(false);
  } finally {
    const gone = once(other, 'exit');
    endHard([own.pid ?? 0, other.pid ?? 0].filter((pid) => pid > 0));
    await gone;
  }
});
