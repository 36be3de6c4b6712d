import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { neutralizeEscapes } from './escapes.ts';

/** Where text goes. On a terminal, control characters of the text are shown instead of obeyed. */
export interface Output {
  readonly isTty: boolean;
  write(text: string): void;
  /** Resolves when the reader has caught up: awaited by whoever writes without end. */
  drained(): Promise<void>;
}

/** All that a command may touch of the world besides the server and files: tests give their own. */
export interface Io {
  readonly stdin: { readonly isTty: boolean; readonly chunks: AsyncIterable<unknown> };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The process's own. */
export function processIo(): Io {
  return {
    stdin: { isTty: process.stdin.isTTY === true, chunks: process.stdin },
    stdout: makeOutput(process.stdout, process.stdout.isTTY === true),
    stderr: makeOutput(process.stderr, process.stderr.isTTY === true),
    env: process.env,
    now: Date.now,
  };
}

export function makeOutput(stream: Writable, isTty: boolean): Output {
  return {
    isTty,
    write: (text) => {
      if (!stream.destroyed) stream.write(isTty ? neutralizeEscapes(text) : text);
    },
    drained: async () => {
      if (!stream.writableNeedDrain || stream.destroyed) return;
      // Whichever comes second, if ever, must not be listened for any more: a long output drains thousands of times.
      const over = new AbortController();
      const first = (event: string): Promise<unknown> => once(stream, event, { signal: over.signal });
      try {
        await Promise.race([first('drain'), first('close')]);
      } finally {
        over.abort();
      }
    },
  };
}

/** Everything that stdin gives, up to a limit. `undefined`: there was more. */
export async function readStdin(io: Io, limitBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of io.stdin.chunks) {
    const part = toBuffer(chunk);
    bytes += part.length;
    if (bytes > limitBytes) return undefined;
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toBuffer(chunk: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.alloc(0);
}

/** One line typed by a person; empty at the end of input. */
export async function readLine(input: Readable | AsyncIterable<unknown>): Promise<string> {
  let line = '';
  for await (const chunk of input) {
    line += toBuffer(chunk).toString('utf8');
    const end = line.indexOf('\n');
    if (end >= 0) return line.slice(0, end).trim();
  }
  return line.trim();
}
