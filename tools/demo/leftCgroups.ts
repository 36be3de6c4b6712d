/**
 * The cgroups that agents made for ranks. An agent removes them when a worker has ended; one that was killed itself cannot,
 * and cgroups, unlike files, do not go with the demo's folder.
 */
import { readFile, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const mount = '/sys/fs/cgroup';
/** An agent's own folder, with one for each worker in it. */
const agentFolder = /^shoal-[0-9a-f]{8}$/;
const patienceMs = 2000;
const periodMs = 20;

/** Those of a process that an agent made; none where there are no cgroups. */
export async function agentCgroupsOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return parseCgroups(text).filter((folder) => agentFolder.test(basename(dirname(folder))));
}

/** Lines `4:memory:/a/b` (v1) and `0::/a/b` (v2) → folders. */
export function parseCgroups(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    return controllers === undefined || path === undefined ? [] : [join(mount, controllers.replace(/^name=/, ''), path)];
  });
}

/** Removes them once their processes are gone, and the agent's folder with the last one. One that is still in use stays. */
export async function removeCgroups(folders: readonly string[]): Promise<void> {
  const giveUpMs = performance.now() + patienceMs;
  for (const folder of folders) {
    while (!(await isRemoved(folder)) && performance.now() < giveUpMs) await sleep(periodMs);
    await isRemoved(dirname(folder));
  }
}

async function isRemoved(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}
