import type { Io } from './io.ts';

/** What a command does once its flags are read; resolves with the exit code. */
export type Run = (io: Io, signal: AbortSignal) => Promise<number>;
/** Where a command's action hands over its work. */
export type Act = (run: Run) => Promise<void>;

export const helpGroups = {
  start: 'Start a cluster:',
  look: 'Look:',
  work: 'Run work:',
  machines: 'Look after machines:',
  settings: 'Settings and help:',
} as const;
