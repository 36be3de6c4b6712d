import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ProcessIdentity } from '#agent/ports/runtime.ts';
import { parseStartTime } from './workerFiles.ts';

/** A process as the kernel lists it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** 0 where the system does not tell. */
  readonly session: number;
  /** As in `ProcessIdentity`. */
  readonly startTime: number;
  readonly zombie: boolean;
}

/** The processes of this machine: Linux through /proc, others through `ps`. */
export interface ProcessTable {
  readonly bootId: string;
  /** Whether `bears` can see the environment of other processes. */
  readonly seesEnvironment: boolean;
  find(pid: number): Promise<ProcessEntry | null>;
  list(): Promise<readonly ProcessEntry[]>;
  /** Whether the process began with this variable in its environment. */
  bears(pid: number, variable: string): Promise<boolean>;
}

const run = promisify(execFile);

export async function openProcessTable(): Promise<ProcessTable> {
  if (process.platform === 'linux') return linuxProcessTable((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim());
  // A session of the kernel, unlike kern.boottime, does not move when the clock is set.
  const { stdout } = await run('sysctl', ['-n', 'kern.bootsessionuuid']);
  return psProcessTable(stdout.trim());
}

/** Whether that very process is there and not a zombie: same pid, same start, same boot. */
export async function isRunning(table: ProcessTable, identity: ProcessIdentity): Promise<boolean> {
  if (identity.bootId !== table.bootId) return false;
  const entry = await table.find(identity.pid);
  return entry !== null && !entry.zombie && entry.startTime === identity.startTime;
}

function linuxProcessTable(bootId: string): ProcessTable {
  const find = async (pid: number): Promise<ProcessEntry | null> => {
    const stat = await readOrEmpty(`/proc/${pid}/stat`);
    return parseStat(stat);
  };
  return {
    bootId,
    seesEnvironment: true,
    find,
    async list() {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
      const entries = await Promise.all(pids.map(find));
      return entries.filter((entry) => entry !== null);
    },
    async bears(pid, variable) {
      return `\0${await readOrEmpty(`/proc/${pid}/environ`)}`.includes(`\0${variable}\0`);
    },
  };
}

/** Exported for its test, which runs on Linux too. */
export function psProcessTable(bootId: string): ProcessTable {
  const query = async (which: readonly string[]): Promise<readonly ProcessEntry[]> => {
    const args = [...which, '-o', 'pid=,ppid=,pgid=,stat=,lstart='];
    // `ps -p` exits with 1 when there is no such process.
    const output = await run('ps', args, { env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } }).catch(() => ({ stdout: '' }));
    return output.stdout
      .split('\n')
      .map(parsePsLine)
      .filter((entry) => entry !== null);
  };
  return {
    bootId,
    seesEnvironment: false,
    find: async (pid) => (await query(['-p', String(pid)]))[0] ?? null,
    list: () => query(['-ax']),
    bears: () => Promise.resolve(false),
  };
}

/** The name in brackets may hold spaces and brackets itself: what follows the last one starts at field 3. */
function parseStat(stat: string): ProcessEntry | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startTime = fields[19];
  if (state === undefined || startTime === undefined) return null;
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: Number(startTime),
    zombie: state === 'Z' || state === 'X',
  };
}

function parsePsLine(line: string): ProcessEntry | null {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
  const startTime = parseStartTime(match?.[5] ?? '');
  if (match === null || startTime === null) return null;
  const [, pid, parent, group, state] = match;
  return { pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, startTime, zombie: state?.startsWith('Z') ?? false };
}

/** A process may end between being listed and being read: that is no error. */
async function readOrEmpty(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
