/** A program of the cluster under test: a process with a log of its own, ended by signals that the test sends. */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { waitUntil } from './waitUntil.ts';

export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves once, with how it ended. */
  readonly ended: Promise<string>;
  /** How it ended; null while it runs. */
  end(): string | null;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ProgramWanted {
  readonly name: string;
  /** Program and arguments. */
  readonly words: readonly [string, ...(readonly string[])];
  readonly env: Env;
  /** Both outputs go here. */
  readonly logFile: string;
}

export type Env = Readonly<Record<string, string | undefined>>;

export async function startProgram({ name, words, env, logFile }: ProgramWanted): Promise<Program> {
  const log = await open(logFile, 'a', 0o600);
  try {
    const [file, ...args] = words;
    const child = spawn(file, args, { stdio: ['ignore', log.fd, log.fd], env: { ...env } });
    let how: string | null = null;
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    const settle = (text: string): void => {
      how ??= text;
      resolve(how);
    };
    child.once('error', (error) => settle(`could not be started: ${error.message}`));
    child.once('exit', (code, killedBy) => settle(killedBy === null ? `ended with code ${code}` : `was ended by ${killedBy}`));
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      child.kill(signal);
      await ended;
    };
    return {
      name,
      pid: child.pid ?? 0,
      logFile,
      ended,
      end: () => how,
      signal: (signal) => void child.kill(signal),
      kill: () => end('SIGKILL'),
      stop: () => end('SIGTERM'),
    };
  } finally {
    await log.close();
  }
}

/** The first line of its log for which `read` gives a value. Throws, with the log's end, when the program ends before. */
export async function firstLine<T>(program: Program, read: (line: string) => T | undefined): Promise<T> {
  const look = async (): Promise<T | undefined> => {
    const end = program.end();
    for (const line of (await readFile(program.logFile, 'utf8')).split('\n')) {
      const value = read(line);
      if (value !== undefined) return value;
    }
    if (end !== null) throw new Error(`${program.name} ${end}:\n${await tail(program.logFile)}`);
    return undefined;
  };
  return waitUntil(look, { what: `a first word of ${program.name}`, seen: () => tail(program.logFile) });
}

export async function tail(file: string, lines = 20): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
