import { exitCodes } from './exitCodes.ts';
import { processIo } from './io.ts';
import { runCommandLine } from './program.ts';

const interrupt = new AbortController();

/** The first Ctrl-C asks the command to end well, the second one ends the process. */
function onInterrupt(): void {
  if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
  interrupt.abort();
}

/** The reader of a pipe went away (`| head`): nobody is left to tell. */
function onOutputError(error: Error): void {
  if ('code' in error && error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
}

process.on('SIGINT', onInterrupt);
process.on('SIGTERM', onInterrupt);
process.on('SIGHUP', onInterrupt);
process.stdout.on('error', onOutputError);
process.stderr.on('error', onOutputError);

process.exitCode = await runCommandLine(process.argv.slice(2), processIo(), interrupt.signal);
// A pipe is flushed before the process ends by itself; stdin that is still open would hold it.
process.stdin.unref?.();
