/**
 * One agent a data folder: two would both start what one journal says. The lock is a file that names a living process
 * (pid, start time, boot); one that names a dead process is taken over.
 */
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import type { ProcessIdentity } from '../../ports/runtime.ts';

export interface LockOptions {
  readonly path: string;
  readonly self: ProcessIdentity;
  readonly isAlive: (identity: ProcessIdentity) => Promise<boolean>;
}

/** Answers how to release it. Throws when a living agent holds it. */
export async function takeDataLock({ path, self, isAlive }: LockOptions): Promise<() => void> {
  const mine = `${path}.${self.pid}`;
  const text = `${JSON.stringify({ pid: self.pid, startTime: self.startTime, bootId: self.bootId })}\n`;
  await writeFile(mine, text, { mode: 0o600 });
  try {
    // A hard link is made whole or not at all, and never over an existing name.
    while (!(await tryLink(mine, path))) await removeStale({ path, self, isAlive });
  } finally {
    await rm(mine, { force: true });
  }
  return () => rmSync(path, { force: true });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale({ path, self, isAlive }: LockOptions): Promise<void> {
  const before = await readLock(path);
  const holder = parseHolder(before);
  if (holder !== null && (await isAlive(holder)))
    throw new Error(`${path} is held by the agent with pid ${holder.pid}; a data folder serves one agent`);
  // Between reading and moving, another agent may have taken it over: then it is given back.
  const aside = `${path}.stale.${self.pid}`;
  await rename(path, aside).catch(() => undefined);
  if ((await readLock(aside)) !== before) await tryLink(aside, path);
  await rm(aside, { force: true });
}

async function readLock(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}

/** Null: nobody that could be alive. */
function parseHolder(text: string): ProcessIdentity | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTime' in value) || !('bootId' in value)) return null;
    const { pid, startTime, bootId } = value;
    return typeof pid === 'number' && typeof startTime === 'number' && typeof bootId === 'string' ? { pid, startTime, bootId } : null;
  } catch {
    return null;
  }
}
