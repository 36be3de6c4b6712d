import type { ListResponse } from '#gen/shoal/v1/control_pb.js';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, textFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseTargets } from '../../kinds.ts';
import { formatObjects } from '../../print/canonical.ts';
import { makeTablePrinter } from '../../print/table.ts';
import { followChanges } from '../../server/changes.ts';
import { withServer, type Server } from '../../server/connection.ts';

export interface EventsOptions {
  readonly target: TargetOptions;
  readonly about: { readonly kind: string; readonly name: string } | null;
  readonly watch: boolean;
  readonly output: 'wide' | 'json' | 'yaml' | 'name' | null;
  readonly headers: boolean;
}

export function compileEvents(flags: Flags): EventsOptions {
  const output = compileChoice(flags, 'output', ['wide', 'json', 'yaml', 'name']);
  const watch = isSet(flags, 'watch');
  if (watch && output !== null && output !== 'wide') {
    throw new CliError(exitCodes.usage, 'error: --watch prints a table; for objects use: shoal get events -w -o json');
  }
  return { target: compileTarget(flags), about: aboutOf(textFlag(flags, 'for')), watch, output, headers: flags['headers'] !== false };
}

function aboutOf(word: string | null): EventsOptions['about'] {
  if (word === null) return null;
  const [target] = word.includes('/') ? parseTargets([word]) : [];
  if (target === undefined) throw new CliError(exitCodes.usage, `error: --for "${word}" is not of the form TYPE/NAME`);
  return { kind: target.kind.kind, name: target.names[0] ?? '' };
}

export async function runEvents(options: EventsOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      const asTable = options.output === null || options.output === 'wide';
      const about = options.about === null ? {} : { about: options.about };
      const list = await server.client.list({ kind: kindOf('events').kind, table: asTable, ...about }, server.unary());
      if (options.output !== null && options.output !== 'wide') {
        io.stdout.write(await formatObjects(list.resources, options.output, false));
        return exitCodes.ok;
      }
      return printEvents({ server, options, list }, io, signal);
    },
    signal,
  );
}

async function printEvents(
  { server, options, list }: { readonly server: Server; readonly options: EventsOptions; readonly list: ListResponse },
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const printer = makeTablePrinter({ wide: options.output === 'wide', headers: options.headers, prefix: '' });
  const rows = list.table?.rows.length ?? 0;
  if (list.table !== undefined && rows > 0) io.stdout.write(printer.print(list.table));
  else if (!options.watch) io.stderr.write('No events found\n');
  if (!options.watch) return exitCodes.ok;
  const wanted = { kind: 'Event', table: true, ...(options.about === null ? {} : { about: options.about }) };
  for await (const change of followChanges(server.client, wanted, list.revision, signal)) {
    if (change.table !== undefined && change.table.rows.length > 0) io.stdout.write(printer.print(change.table));
    await io.stdout.drained();
  }
  return exitCodes.interrupted;
}
