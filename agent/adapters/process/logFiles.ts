import { join } from 'node:path';
import type { WorkerId } from '#vocabulary/job.ts';
import { jobFolderName } from './workerFiles.ts';

/**
 * Logs of a rank: `rank-0.stdout.log` is written to, `.1`, `.2` … are older and older parts of it. Together they are one
 * stream of bytes; `.start` holds the position in it of the first byte of the current file.
 */
export type LogStream = 'stdout' | 'stderr';

export interface LogLimits {
  /** A larger file is rotated; checked once a second, so it may grow beyond for that long. */
  readonly fileBytes: number;
  /** Old parts kept, 1 or more. */
  readonly files: number;
}

export function logFolder(root: string, id: WorkerId): string {
  return join(root, 'logs', jobFolderName(id), String(id.attempt));
}

export function logFile(root: string, id: WorkerId, rank: number, stream: LogStream): string {
  return join(logFolder(root, id), `rank-${rank}.${stream}.log`);
}

export const oldPart = (log: string, number: number): string => `${log}.${number}`;
export const startFile = (log: string): string => `${log}.start`;
