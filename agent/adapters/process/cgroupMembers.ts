import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeControl } from './cgroups.ts';
import { errorCode, isMissing, readIfThere } from './workerFiles.ts';

/** What can be done with a worker's cgroup folders, of either version. Missing folders are empty ones. */

/** Every process in the folders and below them, once. */
export async function listCgroupPids(folders: readonly string[]): Promise<readonly number[]> {
  const found = new Set<number>();
  for (const folder of await withDescendants(folders)) {
    const text = await readProcs(join(folder, 'cgroup.procs'));
    for (const line of text.split('\n')) if (line !== '') found.add(Number(line));
  }
  return [...found].sort((a, b) => a - b);
}

/** Asks the kernel to kill all of them at once, forks in flight included: v2 since Linux 5.14. False where it cannot. */
export async function killCgroups(folders: readonly string[]): Promise<boolean> {
  let asked = false;
  for (const folder of folders) {
    const file = join(folder, 'cgroup.kill');
    const isThere = await stat(file).then(
      () => true,
      () => false,
    );
    if (isThere) asked = (await writeControl(file, '1')) || asked;
  }
  return asked;
}

/** Removes the folders, and their parent when it is left empty. They hold no process any more; zombies may linger a moment. */
export async function removeCgroups(folders: readonly string[]): Promise<void> {
  const all = await withDescendants(folders);
  for (const folder of [...all].sort((a, b) => b.length - a.length)) await removeFolder(folder);
  for (const folder of folders) await rmdir(dirname(folder)).catch(() => undefined);
}

async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      if (isMissing(error)) return;
      // A plain folder of a test has plain files in it; the kernel's never say this.
      if (errorCode(error) === 'ENOTEMPTY') return await rm(folder, { recursive: true });
      if (errorCode(error) !== 'EBUSY' || attempt === 50) throw error;
      await delay(20);
    }
  }
}

async function withDescendants(folders: readonly string[]): Promise<readonly string[]> {
  const all: string[] = [];
  const rest = [...folders];
  for (let folder = rest.pop(); folder !== undefined; folder = rest.pop()) {
    const current = folder;
    const entries = await readdir(current, { withFileTypes: true }).catch(() => null);
    if (entries === null) continue;
    all.push(current);
    rest.push(...entries.filter((entry) => entry.isDirectory()).map((entry) => join(current, entry.name)));
  }
  return all;
}

/** A cgroup that is removed while it is read answers ENODEV. */
async function readProcs(file: string): Promise<string> {
  try {
    return (await readIfThere(file)) ?? '';
  } catch (error) {
    if (errorCode(error) === 'ENODEV' || errorCode(error) === 'EOPNOTSUPP') return '';
    throw error;
  }
}
