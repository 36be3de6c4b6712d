import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { exitCodes } from './exitCodes.ts';
import type { Io } from './io.ts';

/**
 * Runs another program of Shoal in place of this one. Node cannot replace itself, so it is a child with our streams, our
 * signals and its exit code. `words`: what Node is told, the program's file first unless there are flags for Node.
 */
export async function runOtherProgram(words: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, words, { stdio: 'inherit', env: io.env });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(child, 'exit');
    return child.exitCode ?? exitCodes.interrupted;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
