/** What the agent says of the machine that it runs on. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, networkInterfaces, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';

export interface MachineFacts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly os: string;
}

export async function readMachine(): Promise<MachineFacts> {
  return { cpuMilli: availableParallelism() * 1000, memoryBytes: totalmem(), os: (await distribution()) ?? `${type()} ${release()}` };
}

/** e.g. Debian GNU/Linux 12 (bookworm); null where /etc/os-release is missing. */
async function distribution(): Promise<string | null> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(text)?.[1] ?? null;
}

/** The interface that bears this address; null: none does (a host name, an address behind a translation). */
export function interfaceOf(address: string): string | null {
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    const bears = addresses.some(
      (each) => each.address === address || (each.internal && each.family === 'IPv4' && address.startsWith('127.')),
    );
    if (bears) return name;
  }
  return null;
}

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Throws when there is no such user. */
export async function findUser(name: string): Promise<SystemUser> {
  const run = promisify(execFile);
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', '--', name]), run('id', ['-g', '--', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    throw new Error(`--run-as ${name}: there is no such user`);
  }
}
