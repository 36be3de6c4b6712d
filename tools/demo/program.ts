/**
 * A program of the cluster: a session of its own, so that Ctrl-C reaches only the demo, and its words go straight to a
 * file, so that it can live on when the demo has ended.
 */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Program {
  readonly pid: number;
  readonly logFile: string;
  /** Resolves once, with how it ended. */
  readonly ended: Promise<string>;
  /** SIGTERM, then SIGKILL when it takes too long. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Does not hold this process any longer, and lives on when it ends. */
  release(): void;
}

export interface ProgramWanted {
  /** A source file that Node runs. */
  readonly file: string;
  /** Of Node itself. */
  readonly nodeFlags: readonly string[];
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
}

const patienceMs = 5000;
const lookPeriodMs = 50;

export async function startProgram({ file, nodeFlags, words, env, logFile }: ProgramWanted): Promise<Program> {
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [...nodeFlags, file, ...words], { stdio: ['ignore', log.fd, log.fd], detached: true, env });
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, killedBy) => resolve(killedBy === null ? `ended with code ${code}` : `was ended by ${killedBy}`));
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      if ((await within(ended, patienceMs)) !== undefined) return;
      child.kill('SIGKILL');
      await ended;
    };
    return { pid: child.pid ?? 0, logFile, ended, stop, release: () => child.unref() };
  } finally {
    await log.close();
  }
}

/** The first line of its log for which `read` gives a value; undefined when the program ends before. */
export async function firstLine<T>(program: Program, read: (line: string) => T | undefined, signal: AbortSignal): Promise<T | undefined> {
  for (let how: string | undefined; ; how = await within(program.ended, lookPeriodMs)) {
    signal.throwIfAborted();
    const text = await readFile(program.logFile, 'utf8');
    for (const line of text.split('\n')) {
      const value = read(line);
      if (value !== undefined) return value;
    }
    if (how !== undefined) return undefined;
  }
}

/** Undefined: not within this time. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
