import type { Clock } from '../ports/clock.ts';

export interface Waiting {
  /** Calls the listener when it is worth looking again; answers how to stop that. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly clock: Clock;
  /** Null: for ever. */
  readonly untilMs: number | null;
  readonly signal: AbortSignal;
}

/** What `look` answers as soon as it is not null; null when the time or the caller's patience is over first. */
export async function waitUntil<T>({ subscribe, clock, untilMs, signal }: Waiting, look: () => T | null): Promise<T | null> {
  const now = look();
  if (now !== null || signal.aborted) return now;
  return new Promise((resolve) => {
    const undo: (() => void)[] = [];
    const settle = (value: T | null): void => {
      for (const each of undo.splice(0)) each();
      resolve(value);
    };
    const lookAgain = (): void => {
      const value = look();
      if (value !== null) settle(value);
    };
    const giveUp = (): void => settle(null);
    undo.push(subscribe(lookAgain));
    if (untilMs !== null) undo.push(clock.wakeAt(untilMs, giveUp));
    signal.addEventListener('abort', giveUp, { once: true });
    undo.push(() => signal.removeEventListener('abort', giveUp));
  });
}
