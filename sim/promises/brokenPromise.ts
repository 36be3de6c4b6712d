/** A promise of the core did not hold: a bug of Shoal, told with what reproduces it. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
  /** In a few words, the same for the same promise whatever names and numbers are in the message. */
  readonly promise: string;
  readonly atMs: number;

  constructor(promise: string, atMs: number, message: string) {
    super(message);
    this.promise = promise;
    this.atMs = atMs;
  }
}

/** Where it broke. */
export interface Place {
  readonly scenario: string;
  readonly seed: number;
  readonly nowMs: number;
  /** What had just happened. */
  readonly after: string;
}

export function brokenPromise(promise: string, what: string, { scenario, seed, nowMs, after }: Place): BrokenPromise {
  const message = `broken promise at ${nowMs} ms (scenario ${scenario}, seed ${seed}) after ${after}: ${what}`;
  return new BrokenPromise(promise, nowMs, message);
}

/** A sentence without its names and numbers: all that have digits in them, and lists of them. */
export function promiseOf(sentence: string): string {
  const words = sentence.split(' ').filter((word) => !/\d/.test(word));
  return words
    .join(' ')
    .replace(/[,:;]+(?= |$)/g, '')
    .trim();
}
