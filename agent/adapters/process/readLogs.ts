import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerId } from '#vocabulary/job.ts';
import { type LogStream, logFile } from './logFiles.ts';
import { logExtent, readLogAt } from './logSegments.ts';

export interface LogQuery {
  /** The agent's folder. */
  readonly root: string;
  readonly id: WorkerId;
  readonly rank: number;
  readonly stream: LogStream;
  /** Lines from the end, 0 for none of the past; null: all that is kept. */
  readonly tail: number | null;
  /** Goes on until the rank has ended. */
  readonly follow: boolean;
  /** Whether the rank may still write. */
  readonly isLive: () => boolean | Promise<boolean>;
}

const chunkBytes = 64 * 1024;
/** A longer line is given in pieces. */
const lineBytesMax = 1 << 20;
const pollMs = 100;
const newline = 0x0a;

/**
 * Whole lines, several in a chunk, across rotations; the last line of an ended rank also without its newline. Ends when
 * all was read and nothing is followed, when the rank has ended, or when aborted. A reader slower than the rotation
 * loses the lines that were rotated away, never half of one.
 */
export async function* readLogs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const log = logFile(query.root, query.id, query.rank, query.stream);
  const reader = new LineReader(log, query.tail === null ? logExtent(log).start : findTail(log, query.tail));
  while (!signal.aborted) {
    // Asked before reading: what a rank wrote before it ended is then read before the end is believed.
    const live = await query.isLive();
    for (let lines = reader.read(); lines !== null && !signal.aborted; lines = reader.read()) if (lines.length > 0) yield lines;
    if (!live && !signal.aborted && reader.unfinished.length > 0) yield reader.unfinished;
    if (!live || !query.follow) return;
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Reads on from a position, and keeps a line back until it is whole. */
class LineReader {
  readonly #log: string;
  #position: number;
  #unfinished: Buffer = Buffer.alloc(0);
  /** The line that begins at the position lost its beginning. */
  #skipsLine: boolean;

  constructor(log: string, position: number) {
    this.#log = log;
    this.#position = position;
    this.#skipsLine = position > 0 && position === logExtent(log).start;
  }

  get unfinished(): Buffer {
    return this.#unfinished;
  }

  /** The next whole lines, maybe none yet; null at the end of what is written. */
  read(): Buffer | null {
    const { start } = logExtent(this.#log);
    if (this.#position < start) {
      this.#position = start;
      this.#unfinished = Buffer.alloc(0);
      this.#skipsLine = true;
    }
    const chunk = readLogAt(this.#log, this.#position, chunkBytes);
    if (chunk.length === 0) return null;
    this.#position += chunk.length;
    return this.#takeLines(this.#skipsLine ? this.#withoutLostLine(chunk) : chunk);
  }

  #withoutLostLine(chunk: Buffer): Buffer {
    const end = chunk.indexOf(newline);
    this.#skipsLine = end === -1;
    return end === -1 ? Buffer.alloc(0) : chunk.subarray(end + 1);
  }

  #takeLines(chunk: Buffer): Buffer {
    const all = this.#unfinished.length === 0 ? chunk : Buffer.concat([this.#unfinished, chunk]);
    const end = all.lastIndexOf(newline) + 1;
    const isTooLong = end === 0 && all.length > lineBytesMax;
    this.#unfinished = isTooLong ? Buffer.alloc(0) : all.subarray(end);
    return isTooLong ? all : all.subarray(0, end);
  }
}

/** Where the last `count` lines begin; an unfinished one counts, and is not cut by a count of 0. */
function findTail(log: string, count: number): number {
  const { start, end } = logExtent(log);
  if (count === 0) return end === start || readLogAt(log, end - 1, 1)[0] === newline ? end : findTail(log, 1);
  let seen = 0;
  for (let to = end; to > start; ) {
    const from = Math.max(start, to - chunkBytes);
    const chunk = readRange(log, from, to);
    for (let index = chunk.length - 1; index >= 0; index -= 1) {
      // The newline at the very end closes the last line, it does not begin another.
      if (chunk[index] !== newline || from + index === end - 1) continue;
      seen += 1;
      if (seen === count) return from + index + 1;
    }
    to = from;
  }
  return start;
}

function readRange(log: string, from: number, to: number): Buffer {
  const parts: Buffer[] = [];
  for (let position = from; position < to; ) {
    const part = readLogAt(log, position, to - position);
    if (part.length === 0) break;
    parts.push(part);
    position += part.length;
  }
  return Buffer.concat(parts);
}
