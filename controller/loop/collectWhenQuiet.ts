import type { Clock } from '#controller/ports/clock.ts';
import { limits } from '#controller/limits.ts';

/** The process, as far as its garbage is concerned. */
export interface Heap {
  /** Of the last commit. */
  readonly revision: () => number;
  /** Living and dead. */
  readonly heapBytes: () => number;
  /** A full collection; not there without Node's --expose-gc. */
  readonly collect: (() => unknown) | undefined;
}

/**
 * Collects garbage once after work, when nothing has been committed for a while; a start is work. V8 does so by itself only
 * by chance: traced twice for 90 s at rest (Node 26.10), its memory reducer found "high alloc, foreground" at every look and
 * left the 17 MiB that a start had brought. A large heap is left alone: its garbage is the smaller
 * part, and looking through it would hold up whoever comes next.
 */
export function collectWhenQuiet({ revision, heapBytes, collect }: Heap, clock: Clock, signal: AbortSignal): void {
  if (collect === undefined) return;
  let seen = revision();
  let isDue = true;
  const look = (): void => {
    const isQuiet = revision() === seen;
    seen = revision();
    if (!isQuiet) isDue = true;
    else if (isDue && heapBytes() <= limits.quietHeapBytesMax) {
      isDue = false;
      collect();
    }
  };
  clock.every(limits.quietMs, look, signal);
}
