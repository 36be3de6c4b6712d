import { closeSync, fstatSync, ftruncateSync, openSync, readSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { constants, open } from 'node:fs/promises';
import { type LogLimits, oldPart, startFile } from './logFiles.ts';
import { readLogStart } from './logSegments.ts';
import { isMissing } from './workerFiles.ts';

/**
 * Copy and truncate: the rank keeps its file open for ever, so the file cannot be swapped under it. It writes in append
 * mode, hence goes on at 0 after the truncation. Bytes that it writes in the microseconds between the last read and the
 * truncation are lost; that is the price of files over pipes, and files are what lets a rank outlive its agent.
 */
const chunkBytes = 1 << 20;
/** A rank that writes faster than we copy is not chased for longer than this. */
const lastChunksMax = 64;

/** Rotates when the file is larger than the limit. A missing file is none to rotate. */
export async function rotateLog(log: string, limits: LogLimits): Promise<boolean> {
  const copied = await copyLargeFile(log, limits.fileBytes);
  if (copied === null) return false;
  finishRotation(log, copied, limits.files);
  return true;
}

/** The bulk of the copy, without blocking. Null: nothing to do. */
async function copyLargeFile(log: string, fileBytes: number): Promise<number | null> {
  const source = await open(log, 'r').catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (source === null) return null;
  try {
    const { size } = await source.stat();
    if (size <= fileBytes) return null;
    const copy = await open(copyOf(log), constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o640);
    try {
      const buffer = Buffer.alloc(chunkBytes);
      let position = 0;
      while (position < size) {
        const { bytesRead } = await source.read(buffer, 0, chunkBytes, position);
        if (bytesRead === 0) break;
        await copy.write(buffer, 0, bytesRead, position);
        position += bytesRead;
      }
      return position;
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}

/** The rest of the copy and the switch in one turn of the event loop: a reader in this process sees it before or after. */
function finishRotation(log: string, copied: number, files: number): void {
  const source = openSync(log, 'r+');
  try {
    const position = copyRest(source, copyOf(log), copied);
    for (let number = files - 1; number >= 1; number -= 1) renameIfThere(oldPart(log, number), oldPart(log, number + 1));
    renameSync(copyOf(log), oldPart(log, 1));
    writeFileSync(`${startFile(log)}.new`, `${readLogStart(log) + position}\n`);
    renameSync(`${startFile(log)}.new`, startFile(log));
    ftruncateSync(source, 0);
  } finally {
    closeSync(source);
  }
}

function copyRest(source: number, target: string, from: number): number {
  const copy = openSync(target, 'r+');
  const buffer = Buffer.alloc(chunkBytes);
  let position = from;
  try {
    for (let chunk = 0; chunk < lastChunksMax && position < fstatSync(source).size; chunk += 1) {
      const count = readSync(source, buffer, 0, chunkBytes, position);
      writeSync(copy, buffer, 0, count, position);
      position += count;
    }
    return position;
  } finally {
    closeSync(copy);
  }
}

const copyOf = (log: string): string => `${log}.rotating`;

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
