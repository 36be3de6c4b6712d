import { setTimeout as sleep } from 'node:timers/promises';

const lookPeriodMs = 25;

export interface Patience {
  /** Said when it did not come true. */
  readonly what: string;
  readonly deadlineMs?: number;
  /** What there was to see instead; asked once, at the end. */
  readonly seen?: () => Promise<string>;
}

/** Looks again and again until `look` gives a value. Throws when the deadline passes; an error of `look` is thrown at once. */
export async function waitUntil<T>(
  look: () => Promise<T | undefined> | T | undefined,
  { what, deadlineMs = 30_000, seen }: Patience,
): Promise<T> {
  const giveUpAtMs = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > giveUpAtMs) {
      throw new Error(`not within ${deadlineMs / 1000} s: ${what}${seen === undefined ? '' : `; seen: ${await seen()}`}`);
    }
    await sleep(lookPeriodMs);
  }
}
