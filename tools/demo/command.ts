/** Runs the CLI as a user would, and shows what was typed and what it said. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Screen } from './screen.ts';

const repository = join(import.meta.dirname, '..', '..');
const shoal = join(repository, 'bin', 'shoal');

export interface CommandWanted {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Throws when the command fails: its own words are on the screen by then. */
export async function runShoal({ words, env }: CommandWanted, screen: Screen, signal: AbortSignal): Promise<void> {
  screen.say(`$ shoal ${words.join(' ')}`);
  const { code, output } = await collect({ words, env }, signal);
  for (const line of output.trimEnd().split('\n')) screen.say(line);
  if (code !== 0) throw new Error(`shoal ${words.join(' ')} ended with code ${code}`);
}

/** What the command wrote, whether it failed or not. */
export async function collect(
  { words, env }: CommandWanted,
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly output: string }> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(shoal, words, { cwd: repository, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
    let output = '';
    const add = (data: Buffer): void => {
      output += data.toString();
    };
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
