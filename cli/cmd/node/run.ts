import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { textFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseNameOf } from '../../kinds.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { onNamed } from '../../server/notFound.ts';

export interface NodesOptions {
  readonly target: TargetOptions;
  readonly names: readonly string[];
  readonly reason: string;
}

export function compileNodes(words: readonly string[], flags: Flags): NodesOptions {
  const [first = '', ...rest] = words;
  const typed = rest.length > 0 && ['node', 'nodes', 'no'].includes(first);
  const names = (typed ? rest : words).map((word) => parseNameOf('Node', word));
  return { target: compileTarget(flags), names: [...new Set(names)], reason: textFlag(flags, 'reason') ?? '' };
}

export async function runCordon(options: NodesOptions, io: Io, signal: AbortSignal): Promise<number> {
  const cordon = async ({ client, unary }: Server, node: string): Promise<string> => {
    const { changed } = await client.cordon({ node, reason: options.reason }, unary());
    return changed ? 'cordoned' : 'already cordoned';
  };
  return eachNode(options, cordon, io, signal);
}

export async function runUncordon(options: NodesOptions, io: Io, signal: AbortSignal): Promise<number> {
  const uncordon = async ({ client, unary }: Server, node: string): Promise<string> => {
    const { changed } = await client.uncordon({ node }, unary());
    return changed ? 'uncordoned' : 'already uncordoned';
  };
  return eachNode(options, uncordon, io, signal);
}

async function eachNode(
  options: NodesOptions,
  act: (server: Server, node: string) => Promise<string>,
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      let exitCode: number = exitCodes.ok;
      for (const name of options.names) {
        try {
          io.stdout.write(`node/${name} ${await onNamed(server, kindOf('node'), name, () => act(server, name))}\n`);
        } catch (error) {
          exitCode = reportError(failureOf(error, server.address), io.stderr);
        }
      }
      return exitCode;
    },
    signal,
  );
}
