import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { numberFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { withServer } from '../../server/connection.ts';

export interface TokenOptions {
  readonly target: TargetOptions;
  /** 0: the server's default. */
  readonly ttlSeconds: number;
}

const dayMs = 86_400_000;

export function compileToken(flags: Flags): TokenOptions {
  const ttlMs = numberFlag(flags, 'ttl');
  if (ttlMs !== null && !(ttlMs >= 1000 && ttlMs <= dayMs)) throw new CliError(exitCodes.usage, 'error: --ttl: 1s to 24h are allowed');
  return { target: compileTarget(flags), ttlSeconds: ttlMs === null ? 0 : Math.ceil(ttlMs / 1000) };
}

export async function runToken(options: TokenOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async ({ client, unary }) => {
      const { token } = await client.createJoinToken({ ttlSeconds: options.ttlSeconds }, unary());
      io.stdout.write(`${token}\n`);
      return exitCodes.ok;
    },
    signal,
  );
}
