/**
 * Clears up after a demo that was killed and could not do it itself. A shell waits at the other end of a pipe: a word means
 * that nothing is left to do; the pipe's end without a word, that nobody is left who could.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Guard {
  /** All was cleared, or is to stay. */
  dismiss(): void;
}

const script = 'read -r word || exec "$@"';

/** For the demo in this folder, which has to be one that `--end` takes. */
export function startGuard(folder: string): Guard {
  const end = [process.execPath, join(import.meta.dirname, 'main.ts'), '--end', folder];
  // A session of its own: what ends the demo's must not end it.
  const shell = spawn('/bin/sh', ['-c', script, 'sh', ...end], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
  const ignore = (): void => undefined;
  shell.once('error', ignore);
  shell.stdin.on('error', ignore);
  shell.unref();
  return { dismiss: () => shell.stdin.end('done\n') };
}
