/** Ctrl-C as something to race with. `stop` takes the listener away; the promise of an aborted signal is resolved already. */
export function untilAborted(signal: AbortSignal): { readonly promise: Promise<undefined>; readonly stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const listener = (): void => resolve(undefined);
  signal.addEventListener('abort', listener, { once: true });
  if (signal.aborted) resolve(undefined);
  return { promise, stop: () => signal.removeEventListener('abort', listener) };
}
