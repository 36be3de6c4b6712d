import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { oldPart, startFile } from './logFiles.ts';
import { isMissing } from './workerFiles.ts';

/**
 * A rotated log as one stream of bytes with fixed positions. All of it is synchronous and small: between two awaits no
 * rotation of this process can come, so a position always means the same byte.
 */
interface Segment {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** The bytes that exist: older ones were rotated away. Both 0 when there is no file. */
export function logExtent(log: string): { readonly start: number; readonly end: number } {
  const segments = logSegments(log);
  return { start: segments[0]?.start ?? 0, end: segments.at(-1)?.end ?? 0 };
}

/** At most `length` bytes at a position; empty at the end, and where nothing is kept. */
export function readLogAt(log: string, position: number, length: number): Buffer {
  const segment = logSegments(log).find((entry) => entry.start <= position && position < entry.end);
  if (segment === undefined) return Buffer.alloc(0);
  const file = openSync(segment.path, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(length, segment.end - position));
    const count = readSync(file, buffer, 0, buffer.length, position - segment.start);
    return buffer.subarray(0, count);
  } finally {
    closeSync(file);
  }
}

/** Position of the current file's first byte. */
export function readLogStart(log: string): number {
  try {
    return Number(readFileSync(startFile(log), 'utf8')) || 0;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Oldest first, without gaps. */
function logSegments(log: string): readonly Segment[] {
  const size = sizeOf(log);
  if (size === null) return [];
  const start = readLogStart(log);
  const segments: Segment[] = [{ path: log, start, end: start + size }];
  for (let number = 1, end = start; end > 0; number += 1) {
    const old = sizeOf(oldPart(log, number));
    if (old === null) break;
    segments.unshift({ path: oldPart(log, number), start: end - old, end });
    end -= old;
  }
  return segments;
}

function sizeOf(path: string): number | null {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
