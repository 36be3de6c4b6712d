/**
 * A program that `up` starts and stops. Each has its own session, so that a Ctrl-C on the terminal reaches only `up`,
 * which then stops the agents before the controller that they speak to.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves once, with how it ended. */
  readonly ended: Promise<string>;
  /** The first line of stdout for which `read` gives a value; undefined when the program ends before. */
  firstLine<T>(read: (line: string) => T | undefined): Promise<T | undefined>;
  /** SIGTERM, then SIGKILL when it takes too long. Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ChildWanted {
  readonly name: string;
  readonly program: string;
  /** Of Node itself. */
  readonly nodeFlags: readonly string[];
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets all that it writes to stdout and stderr. */
  readonly logFile: string;
}

const patienceMs = 10_000;

export function startChild({ name, program, nodeFlags, words, env, logFile }: ChildWanted): Child {
  const child = spawn(process.execPath, [...nodeFlags, program, ...words], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  // A log that cannot be written (disk full) must not take the cluster down.
  log.on('error', () => undefined);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  // A second Ctrl-C ends this program at once; what it started must not stay behind. Both are safe to kill.
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('close', () => process.off('exit', killWithUs));
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(`could not be started: ${error.message}`));
  child.once('close', (code, killedBy) => {
    log.end();
    resolve(killedBy === null ? `ended with code ${code}` : `was ended by ${killedBy}`);
  });
  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    ended,
    firstLine: (read) => firstLine(child, ended, read),
    stop: () => stop(child, ended),
  };
}

async function firstLine<T>(child: ChildProcess, ended: Promise<string>, read: (line: string) => T | undefined): Promise<T | undefined> {
  if (child.stdout === null) return undefined;
  const lines = createInterface({ input: child.stdout });
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  lines.on('line', (line) => {
    const value = read(line);
    if (value !== undefined) resolve(value);
  });
  try {
    return await Promise.race([promise, ended.then(() => undefined)]);
  } finally {
    lines.removeAllListeners('line');
  }
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const timer = new AbortController();
  const late = sleep(patienceMs, 'late', { signal: timer.signal }).catch(() => 'stopped');
  const first = await Promise.race([ended, late]);
  timer.abort();
  if (first !== 'late') return;
  child.kill('SIGKILL');
  await ended;
}
