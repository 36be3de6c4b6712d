import { CliError } from './cliError.ts';
import { exitCodes } from './exitCodes.ts';

/**
 * Work that gives up after a while. `work` gets a signal that is aborted by Ctrl-C or by the deadline; when it returns
 * nothing because of that, the caller learns which of the two it was.
 */
export async function withDeadline<T>(
  timeoutMs: number | null,
  timedOut: string,
  work: (signal: AbortSignal) => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  const ended = new AbortController();
  const onAbort = (): void => ended.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) ended.abort();
  let late = false;
  const timer =
    timeoutMs === null
      ? undefined
      : setTimeout(
          () => {
            late = true;
            ended.abort();
          },
          Math.min(timeoutMs, 2 ** 31 - 1),
        );
  try {
    const result = await work(ended.signal);
    if (result !== undefined) return result;
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
  if (late && !signal.aborted) throw new CliError(exitCodes.timedOut, timedOut);
  throw new CliError(exitCodes.interrupted, '');
}
