import { CliError } from './cliError.ts';
import { exitCodes } from './exitCodes.ts';
import type { Output } from './io.ts';

/** Says on stderr what went wrong and gives the exit code. An empty message was said already. */
export function reportError(error: unknown, stderr: Output): number {
  if (!(error instanceof CliError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    stderr.write(`error: this is a bug in shoal: ${text}\n`);
    return exitCodes.error;
  }
  if (error.message !== '') stderr.write(`${error.message}\n`);
  for (const hint of error.hints) stderr.write(`${hint}\n`);
  return error.exitCode;
}
