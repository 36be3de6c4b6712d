import { access, readdir, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type WorkerId, workerKey } from '#vocabulary/job.ts';
import type { ProcessIdentity } from '#agent/ports/runtime.ts';
import { killCgroups, listCgroupPids } from './cgroupMembers.ts';
import type { ProcessTable } from './processTable.ts';
import { errorCode, isMissing, readClaim, readIfThere, type WorkerFiles } from './workerFiles.ts';
import { findWorkerTree } from './workerTree.ts';

/** How long a SIGKILL is followed up. A process in an uninterruptible wait outlasts it; `isWorkerAlive` goes on telling so. */
const killFollowUpMs = 2000;

/** All living processes of one worker, whoever started them: by cgroup where it has one, else by mark and descent. */
export async function listWorkerProcesses(table: ProcessTable, files: WorkerFiles, id: WorkerId): Promise<readonly number[]> {
  const folders = await readCgroupFolders(files);
  if (folders.length === 0) return await findWorkerTree(table, await readLaunchers(files), workerKey(id));
  const living: number[] = [];
  for (const pid of await listCgroupPids(folders)) {
    const entry = await table.find(pid);
    if (entry !== null && !entry.zombie) living.push(pid);
  }
  return living;
}

/** Marks first, for ranks in their first moment: see launch.sh. */
export async function terminateWorker(table: ProcessTable, files: WorkerFiles, id: WorkerId): Promise<void> {
  if (!(await leaveMark(files.terminated))) return;
  for (const pid of await listWorkerProcesses(table, files, id)) sendSignal(pid, 'SIGTERM');
}

/** Marks first: a launcher that has not begun its rank yet sees the mark, one that has is found in the list. */
export async function killWorker(table: ProcessTable, files: WorkerFiles, id: WorkerId): Promise<void> {
  if (!(await leaveMark(files.killed))) return;
  const deadline = performance.now() + killFollowUpMs;
  await killCgroups(await readCgroupFolders(files));
  const told = new Set<number>();
  for (let pauseMs = 1; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 50)) {
    const pids = await listWorkerProcesses(table, files, id);
    if (pids.length === 0 && !(await isAnyLeft(table, told))) return;
    // Again and again: one that forked between the list and the signal has left a child.
    for (const pid of pids) {
      told.add(pid);
      sendSignal(pid, 'SIGKILL');
    }
    await delay(pauseMs);
  }
}

/** One that is dying has lost the environment by which it is listed, a moment before it is gone. */
async function isAnyLeft(table: ProcessTable, pids: ReadonlySet<number>): Promise<boolean> {
  const entries = await Promise.all([...pids].map((pid) => table.find(pid)));
  return entries.some((entry) => entry !== null && !entry.zombie);
}

export async function wasKilled(files: WorkerFiles): Promise<boolean> {
  return await access(files.killed).then(
    () => true,
    () => false,
  );
}

export async function readCgroupFolders(files: WorkerFiles): Promise<readonly string[]> {
  const text = await readIfThere(files.cgroups);
  return text === null ? [] : text.split('\n').filter((line) => line !== '');
}

/** False when nothing of the worker was ever prepared here. */
async function leaveMark(file: string): Promise<boolean> {
  try {
    await writeFile(file, '');
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    // A full disk must not keep a worker alive: the marks are for ranks that only just start.
    if (errorCode(error) === 'ENOSPC') return true;
    throw error;
  }
}

async function readLaunchers(files: WorkerFiles): Promise<readonly ProcessIdentity[]> {
  const names = await readdir(files.folder).catch(() => []);
  const ranks = names.map((name) => /^rank-(\d+)\.claim$/.exec(name)?.[1]).filter((rank) => rank !== undefined);
  const launchers: ProcessIdentity[] = [];
  for (const rank of ranks) {
    const claim = await readClaim(files, Number(rank));
    if (claim.kind === 'whole') launchers.push(claim.process);
  }
  return launchers;
}

/** It may have ended since it was listed. */
function sendSignal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
