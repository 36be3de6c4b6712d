import { toJson } from '@bufbuild/protobuf';
import { ForecastResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, textsFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { loadManifests } from '../../manifests/load.ts';
import { formatValue } from '../../print/canonical.ts';
import { comparison, timetable } from '../../print/outlookText.ts';
import { withServer } from '../../server/connection.ts';
import type { AskedChange } from './changes.ts';
import { compileChangeFlags } from './changes.ts';

export interface WhatIfOptions {
  readonly target: TargetOptions;
  readonly changes: readonly AskedChange[];
  readonly files: readonly string[];
  readonly recursive: boolean;
  readonly all: boolean;
  readonly output: 'json' | 'yaml' | null;
}

export function compileWhatIf(flags: Flags): WhatIfOptions {
  return {
    target: compileTarget(flags),
    changes: compileChangeFlags(flags),
    files: textsFlag(flags, 'filename'),
    recursive: isSet(flags, 'recursive'),
    all: isSet(flags, 'all'),
    output: compileChoice(flags, 'output', ['json', 'yaml']),
  };
}

export async function runWhatIf({ target, changes, output, all, ...from }: WhatIfOptions, io: Io, signal: AbortSignal): Promise<number> {
  const { manifests, problems } = from.files.length === 0 ? { manifests: [], problems: [] } : await loadManifests(from, io);
  for (const problem of problems) io.stderr.write(`Error: ${problem}\n`);
  if (problems.length > 0) return exitCodes.error;
  const asked: readonly AskedChange[] = [
    ...changes,
    ...manifests.map(({ json, where }): AskedChange => ({ words: where(''), change: { change: { case: 'document', value: { json } } } })),
  ];
  return withServer(
    target,
    io,
    async ({ client, unary }) => {
      const forecast = await client.forecast({ changes: asked.map(({ change }) => change) }, unary()).catch((error: unknown) => {
        throw inWords(error, asked);
      });
      if (output !== null) io.stdout.write(await formatValue(toJson(ForecastResponseSchema, forecast), output));
      else io.stdout.write(forecast.after === undefined ? timetable(forecast) : comparison(forecast, all));
      return exitCodes.ok;
    },
    signal,
  );
}

/** The server names changes by their number; the user knows them as typed. */
function inWords(error: unknown, asked: readonly AskedChange[]): unknown {
  if (!(error instanceof RpcError) || error.code !== 'INVALID_ARGUMENT') return error;
  const lines = error.message
    .split('\n')
    .map((line) => line.replace(/^changes\[(\d+)\]/, (all, number: string) => asked[Number(number)]?.words ?? all));
  return new CliError(exitCodes.error, lines.map((line) => `Error: ${line}`).join('\n'));
}
