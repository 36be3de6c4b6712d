import type { Io } from '../../io.ts';
import { runOtherProgram } from '../../otherProgram.ts';
import { agentNodeFlags, agentProgram } from '../../rooms.ts';

export const runAgentProgram = (words: readonly string[], io: Io, signal: AbortSignal): Promise<number> =>
  runOtherProgram([...agentNodeFlags, agentProgram, ...words], io, signal);
