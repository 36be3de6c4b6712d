import type { ListResponse } from '#gen/shoal/v1/control_pb.js';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import type { Target } from '../../kinds.ts';
import { formatObjects, metadataOf } from '../../print/canonical.ts';
import { makeTablePrinter } from '../../print/table.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { notFound } from '../../server/notFound.ts';
import type { GetOptions } from './options.ts';
import { watchObjects, watchTables } from './watch.ts';

export async function runGet(options: GetOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      const [only] = options.wanted;
      const asTable = options.output === null || options.output === 'wide';
      const lists: ListResponse[] = [];
      for (const target of options.wanted) lists.push(await list(server, target, options, asTable));
      if (options.watch && only !== undefined) {
        const wanted = { server, target: only, options, revision: lists[0]?.revision ?? 0n };
        if (asTable) return watchTables({ ...wanted, first: lists[0]?.table }, io, signal);
        return watchObjects({ ...wanted, first: lists[0]?.resources ?? [] }, io, signal);
      }
      if (asTable) printTables(options, lists, io);
      else await printObjects(options, lists, io);
      return reportMissing(server, options, lists, io);
    },
    signal,
  );
}

function list({ client, unary }: Server, target: Target, options: GetOptions, table: boolean): Promise<ListResponse> {
  return client.list({ kind: target.kind.kind, names: [...target.names], labelSelector: { ...options.labels }, table }, unary());
}

function printTables(options: GetOptions, lists: readonly ListResponse[], io: Io): void {
  const several = options.wanted.length > 1;
  let printed = 0;
  lists.forEach(({ table }, at) => {
    if (table === undefined || table.rows.length === 0) return;
    const singular = options.wanted[at]?.kind.singular ?? '';
    const printer = makeTablePrinter({ wide: options.output === 'wide', headers: options.headers, prefix: several ? `${singular}/` : '' });
    io.stdout.write(`${printed++ > 0 ? '\n' : ''}${printer.print(table)}`);
  });
  const named = options.wanted.some((target) => target.names.length > 0);
  if (printed === 0 && !named) io.stderr.write('No resources found\n');
}

async function printObjects(options: GetOptions, lists: readonly ListResponse[], io: Io): Promise<void> {
  if (options.output === null || options.output === 'wide') return;
  const resources = lists.flatMap((each) => each.resources);
  const named = options.wanted.flatMap((target) => target.names);
  const alone = named.length === 1 && options.wanted.length === 1;
  if (alone && resources.length === 0) return;
  io.stdout.write(await formatObjects(resources, options.output, alone));
}

/** Names that were asked for and are not there: each is said, with the nearest one. */
async function reportMissing(server: Server, options: GetOptions, lists: readonly ListResponse[], io: Io): Promise<number> {
  if (options.ignoreNotFound) return exitCodes.ok;
  let missing = 0;
  for (const [at, target] of options.wanted.entries()) {
    const found = new Set(namesIn(lists[at]));
    for (const name of target.names.filter((each) => !found.has(each))) {
      const failure = await notFound(server, target.kind, name);
      io.stderr.write([failure.message, ...failure.hints, ''].join('\n'));
      missing++;
    }
  }
  return missing === 0 ? exitCodes.ok : exitCodes.notFound;
}

function namesIn(list: ListResponse | undefined): readonly string[] {
  const rows = list?.table?.rows.map((row) => row.object?.name ?? '') ?? [];
  return [...rows, ...(list?.resources ?? []).map((resource) => metadataOf(resource)?.name ?? '')];
}
