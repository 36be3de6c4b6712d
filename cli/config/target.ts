import { type Flags, numberFlag, textFlag } from '../flags.ts';

/** Which cluster a command speaks to, from the flags that every command has. Apart from reading files and keys, which `version --client` does without. */
export interface TargetOptions {
  readonly context: string | null;
  /** Overrides the context's address. */
  readonly server: string | null;
  /** Of one request; 0: none. Streams have none. */
  readonly requestTimeoutMs: number;
}

const defaultRequestTimeoutMs = 30_000;

export function compileTarget(flags: Flags): TargetOptions {
  return {
    context: textFlag(flags, 'context'),
    server: textFlag(flags, 'server'),
    requestTimeoutMs: Math.max(0, numberFlag(flags, 'requestTimeout') ?? defaultRequestTimeoutMs),
  };
}
