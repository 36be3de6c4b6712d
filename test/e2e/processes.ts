/**
 * Finds processes by the environment that they started with. Ranks are no children of the test, and outlive their
 * agents; what they inherit is the agents' PATH, and what each has of its own is its worker's key. Linux only.
 */
import { readdir, readFile } from 'node:fs/promises';

export interface SeenProcess {
  readonly pid: number;
  readonly env: ReadonlyMap<string, string>;
  readonly command: readonly string[];
}

/** All processes with this folder in their PATH. */
export async function processesWithPath(folder: string): Promise<readonly SeenProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const seen = await Promise.all(pids.filter((pid) => pid !== process.pid).map(look));
  return seen.filter((each) => (each?.env.get('PATH') ?? '').split(':').includes(folder)).filter((each) => each !== null);
}

async function look(pid: number): Promise<SeenProcess | null> {
  try {
    const [environ, cmdline] = await Promise.all([readFile(`/proc/${pid}/environ`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')]);
    const env = new Map<string, string>();
    for (const entry of environ.split('\0')) {
      const at = entry.indexOf('=');
      if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
    }
    return { pid, env, command: cmdline.split('\0').slice(0, -1) };
  } catch {
    // Gone meanwhile, or of another user.
    return null;
  }
}

/** No error for one that is gone. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/** Whether there is a process of this number that is not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !/^\d+ \(.*\) [ZX]/s.test(stat);
}
