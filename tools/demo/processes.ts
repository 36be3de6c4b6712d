/**
 * Finds processes by their environment. Ranks are not children of the demo and outlive their agents, as they should; what
 * they all inherit is the PATH that the demo gave to the agents, and what each has of its own is its rank.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface SeenProcess {
  readonly pid: number;
  /** Its environment when it started. */
  readonly env: ReadonlyMap<string, string>;
}

/** Of this user, except this process. */
async function listProcesses(): Promise<readonly SeenProcess[]> {
  const all = process.platform === 'linux' ? await fromProc() : await fromPs();
  return all.filter(({ pid }) => pid !== process.pid);
}

async function fromProc(): Promise<readonly SeenProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const seen = await Promise.all(
    pids.map(async (pid) => {
      // Gone meanwhile, or of another user: not ours.
      const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return { pid, env: parseEnvironment(text.split('\0')) };
    }),
  );
  return seen.filter(({ env }) => env.size > 0);
}

/** `ps -E` writes the environment behind the command, separated by spaces: enough for values without spaces. */
async function fromPs(): Promise<readonly SeenProcess[]> {
  const { stdout } = await promisify(execFile)('ps', ['-xEww', '-o', 'pid=,command='], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(.*)$/.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), env: parseEnvironment((match[2] ?? '').split(' ')) }];
  });
}

function parseEnvironment(entries: readonly string[]): ReadonlyMap<string, string> {
  const env = new Map<string, string>();
  for (const entry of entries) {
    const at = entry.indexOf('=');
    if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return env;
}

/** Those that have this folder in their PATH. */
export async function processesWithPath(folder: string): Promise<readonly SeenProcess[]> {
  return (await listProcesses()).filter(({ env }) => (env.get('PATH') ?? '').split(':').includes(folder));
}

/** SIGKILL to all at once. No error for one that is gone. */
export function endHard(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
