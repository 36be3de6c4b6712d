import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '#vocabulary/assert.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ProcessIdentity } from '#agent/ports/runtime.ts';

/**
 * The control folder of one worker: all that is known of its ranks outside the agent's memory, so that an agent that
 * starts anew finds them. Written by the launcher (claim, exit) and by the agent (killed, cgroups).
 */
export interface WorkerFiles {
  readonly folder: string;
  /** Exists: somebody was told to kill the worker; nothing of it starts any more. */
  readonly killed: string;
  /** Exists: somebody told the worker to end; a rank of it that has just started ends at once. */
  readonly terminated: string;
  /** The cgroup folders of the worker, one a line. */
  readonly cgroups: string;
}

export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** `torn`: the launcher died while it wrote, or the disk was full. */
type Claim = { readonly kind: 'none' } | { readonly kind: 'torn' } | { readonly kind: 'whole'; readonly process: ProcessIdentity };

export function workerFiles(root: string, id: WorkerId): WorkerFiles {
  const folder = join(root, 'workers', workerFolderName(id));
  return { folder, killed: join(folder, 'killed'), terminated: join(folder, 'terminated'), cgroups: join(folder, 'cgroups') };
}

export const claimFile = (files: WorkerFiles, rank: number): string => join(files.folder, `rank-${rank}.claim`);
export const exitFile = (files: WorkerFiles, rank: number): string => join(files.folder, `rank-${rank}.exit`);

/** A worker's name as one path component. */
export function workerFolderName(id: WorkerId): string {
  return `${jobFolderName(id)}-${id.attempt}-${id.worker}`;
}

/** A job's uid as one path component: it comes from the controller, and must not lead out of the folder. */
export function jobFolderName(id: WorkerId): string {
  assert(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id.job), `a job's uid is a name, not ${JSON.stringify(id.job)}`);
  return id.job;
}

export async function readClaim(files: WorkerFiles, rank: number): Promise<Claim> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const text = await readIfThere(claimFile(files, rank));
    if (text === null) return { kind: 'none' };
    const process = parseClaim(text);
    if (process !== null) return { kind: 'whole', process };
    // Made and written in two system calls: the second one may be a moment away.
    await delay(5);
  }
  return { kind: 'torn' };
}

/** Null while the rank runs, and for ever when its launcher was killed with it. */
export async function readExit(files: WorkerFiles, rank: number): Promise<ExitStatus | null> {
  const text = await readIfThere(exitFile(files, rank));
  return text === null || !/^\d+\n$/.test(text) ? null : exitStatusOf(Number(text));
}

/**
 * What a shell's status says. Above 128 it is a signal where there is one of that number: a program that itself exits
 * with 143 is taken for one ended by SIGTERM, as every shell's user would take it.
 */
export function exitStatusOf(status: number): ExitStatus {
  const name = status > 128 ? Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0] : undefined;
  return name === undefined ? { exitCode: status, signal: null } : { exitCode: null, signal: name };
}

export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function parseClaim(text: string): ProcessIdentity | null {
  const [pid, bootId, start, end] = text.split('\n');
  if (pid === undefined || bootId === undefined || start === undefined || end === undefined) return null;
  const startTime = parseStartTime(start);
  return /^\d+$/.test(pid) && startTime !== null ? { pid: Number(pid), startTime, bootId } : null;
}

/** Ticks since boot as Linux counts them, or the date that `ps -o lstart` prints in UTC, as seconds since the epoch. */
export function parseStartTime(text: string): number | null {
  const trimmed = text.trim();
  const value = /^\d+$/.test(trimmed) ? Number(trimmed) : Date.parse(`${trimmed} UTC`) / 1000;
  return Number.isFinite(value) ? value : null;
}
