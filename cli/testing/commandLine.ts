import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { makeOutput, type Io } from '../io.ts';
import { runCommandLine } from '../program.ts';
import { startControlDouble, token, type ControlDouble } from './controlDouble.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunHow {
  /** A terminal on all three; default: pipes. */
  readonly tty?: boolean;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called with all of stdout and stderr so far, after each write. */
  readonly onOutput?: (soFar: string) => void;
}

/** Runs `shoal` in this process as the shell would, and gives what it printed. */
export async function runShoal(words: readonly string[], how: RunHow = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const tty = how.tty ?? false;
  const sink = (into: string[]): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        into.push(chunk.toString('utf8'));
        how.onOutput?.([...out, ...err].join(''));
        done();
      },
    });
  const io: Io = {
    stdin: { isTty: tty, chunks: stdinOf(how.stdin ?? '') },
    stdout: makeOutput(sink(out), tty),
    stderr: makeOutput(sink(err), tty),
    env: how.env ?? {},
    now: () => Date.parse('2026-11-23T12:00:00Z'),
  };
  const code = await runCommandLine(words, io, how.signal ?? new AbortController().signal);
  return { code, stdout: out.join(''), stderr: err.join('') };
}

async function* stdinOf(text: string): AsyncGenerator<string> {
  yield text;
}

/** A server, a folder of its own, and a configuration that points at the server. */
export interface Bench {
  readonly server: ControlDouble;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  shoal(words: readonly string[], how?: RunHow): Promise<Ran>;
  /** Writes a file into the folder and gives its path. */
  file(name: string, text: string): Promise<string>;
  close(): Promise<void>;
}

export async function makeBench(): Promise<Bench> {
  const server = await startControlDouble();
  const folder = await mkdtemp(join(tmpdir(), 'shoal-cli-'));
  const env = { SHOAL_CONFIG: join(folder, 'config') };
  const config = {
    currentContext: 'test',
    contexts: [{ name: 'test', server: server.address, certificateAuthority: server.caPem, token }],
  };
  await writeFile(env.SHOAL_CONFIG, JSON.stringify(config), { mode: 0o600 });
  return {
    server,
    folder,
    env,
    shoal: (words, how = {}) => runShoal(words, { ...how, env: { ...env, ...how.env } }),
    file: async (name, text) => {
      const path = join(folder, name);
      await writeFile(path, text);
      return path;
    },
    close: async () => {
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
