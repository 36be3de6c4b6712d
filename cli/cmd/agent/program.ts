import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import { agentNodeFlags, agentProgram } from '../../rooms.ts';

/** Node cannot replace itself by another program: the agent is a child with our streams, our signals and its exit code. */
export async function runAgentProgram(words: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [...agentNodeFlags, agentProgram, ...words], { stdio: 'inherit', env: io.env });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(child, 'exit');
    return child.exitCode ?? exitCodes.interrupted;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
