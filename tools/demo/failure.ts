/** What a person needs when the demo did not end well: the end of every log that may say why. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLines } from '#cli/cmd/up/lastLines.ts';
import { collect } from './command.ts';
import type { Ground } from './ground.ts';
import { jobName } from './watchJob.ts';

const callLimitMs = 5000;
const jobCommands = [
  ['describe', 'job', jobName],
  ['logs', jobName, '--all-ranks', '--tail', '8'],
];

export async function evidenceOf(ground: Ground): Promise<readonly string[]> {
  const lines: string[] = [];
  // Without a context the controller did not come so far.
  const commands = existsSync(join(ground.folder, 'config')) ? jobCommands : [];
  for (const words of commands) {
    lines.push(`--- shoal ${words.join(' ')}`, ...(await outputOf(words, ground)));
  }
  for (const file of (await readdir(ground.logFolder)).sort()) {
    lines.push(`--- ${file}`, ...(await lastLines(join(ground.logFolder, file), 8)));
  }
  return lines;
}

/** The controller may be what is broken. */
async function outputOf(words: readonly string[], { env }: Ground): Promise<readonly string[]> {
  try {
    const { output } = await collect({ words, env }, AbortSignal.timeout(callLimitMs));
    return output
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`);
  } catch (error) {
    return [`  ${error instanceof Error ? error.message : String(error)}`];
  }
}
