import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import { simProgram } from '../../rooms.ts';

/** The simulator is a child with our streams, our signals and its exit code: rooms do not reach into each other. */
export async function runSimulator(words: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [simProgram, ...words], { stdio: 'inherit', env: io.env });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(child, 'exit');
    return child.exitCode ?? exitCodes.interrupted;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
