/**
 * The cgroups that agents made for ranks. An agent removes them when a worker has ended; one that was killed itself cannot,
 * and cgroups, unlike files, do not go with the demo's folder.
 */
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupNameOf } from '#agent/adapters/process/cgroups.ts';

const systemMount = '/sys/fs/cgroup';
const patienceMs = 2000;
const periodMs = 20;

/** Ends what is left in the cgroups of the agents with these data folders, and removes them. */
export async function clearCgroups(dataFolders: readonly string[], mount: string = systemMount): Promise<void> {
  const names = new Set(dataFolders.map(cgroupNameOf));
  const found = await findFolders(mount, names);
  const giveUpMs = performance.now() + patienceMs;
  for (const folder of found.flatMap(({ children, path }) => [...children, path])) {
    while (!(await isRemoved(folder)) && performance.now() < giveUpMs) await sleep(periodMs);
  }
}

interface Found {
  readonly path: string;
  /** One a worker; there are none below. */
  readonly children: readonly string[];
}

/** Anywhere: of cgroups v1 there is one tree a controller, and agents make theirs below their own. */
async function findFolders(folder: string, names: ReadonlySet<string>): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const name of await foldersIn(folder)) {
    const path = join(folder, name);
    if (names.has(name)) found.push({ path, children: (await foldersIn(path)).map((child) => join(path, child)) });
    else found.push(...(await findFolders(path, names)));
  }
  return found;
}

/** None where there are no cgroups, or this one has gone meanwhile. */
async function foldersIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function isRemoved(folder: string): Promise<boolean> {
  await killAll(folder);
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

async function killAll(folder: string): Promise<void> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const pid of text.split('\n').map(Number)) {
    // 0: of another namespace, out of reach.
    if (!Number.isSafeInteger(pid) || pid <= 0) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
