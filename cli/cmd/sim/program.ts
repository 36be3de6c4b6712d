import type { Io } from '../../io.ts';
import { runOtherProgram } from '../../otherProgram.ts';
import { simProgram } from '../../rooms.ts';

export const runSimProgram = (words: readonly string[], io: Io, signal: AbortSignal): Promise<number> =>
  runOtherProgram([simProgram, ...words], io, signal);
