import type { Resource, Table } from '#gen/shoal/v1/control_pb.js';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import type { Target } from '../../kinds.ts';
import { formatValue, nameOf, toCanonical } from '../../print/canonical.ts';
import { makeTablePrinter } from '../../print/table.ts';
import { followChanges } from '../../server/changes.ts';
import type { Server } from '../../server/connection.ts';
import type { GetOptions } from './options.ts';

interface Watched {
  readonly server: Server;
  readonly target: Target;
  readonly options: GetOptions;
  /** Of the list that was printed first. */
  readonly revision: bigint;
}

/** Rows are appended, never redrawn: the output is a history that can be piped. Ends by Ctrl-C. */
export async function watchTables(watched: Watched & { readonly first: Table | undefined }, io: Io, signal: AbortSignal): Promise<number> {
  const { options, first } = watched;
  const printer = makeTablePrinter({ wide: options.output === 'wide', headers: options.headers, prefix: '' });
  if (first !== undefined && first.rows.length > 0) io.stdout.write(printer.print(first));
  for await (const change of changes(watched, true, signal)) {
    if (change.table === undefined || change.table.rows.length === 0) continue;
    io.stdout.write(printer.print(change.table));
    await io.stdout.drained();
  }
  return exitCodes.interrupted;
}

/** `-o json` gives one document after the other, `-o yaml` divides them by `---`, `-o name` gives one line a change. */
export async function watchObjects(
  watched: Watched & { readonly first: readonly Resource[] },
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const print = async (resource: Resource): Promise<void> => {
    const { output } = watched.options;
    if (output === 'name') io.stdout.write(`${nameOf(resource)}\n`);
    else if (output === 'json') io.stdout.write(await formatValue(toCanonical(resource), 'json'));
    else io.stdout.write(`---\n${await formatValue(toCanonical(resource), 'yaml')}`);
    await io.stdout.drained();
  };
  for (const resource of watched.first) await print(resource);
  for await (const change of changes(watched, false, signal)) {
    if (change.resource !== undefined) await print(change.resource);
  }
  return exitCodes.interrupted;
}

function changes({ server, target, options, revision }: Watched, table: boolean, signal: AbortSignal): ReturnType<typeof followChanges> {
  const wanted = { kind: target.kind.kind, names: [...target.names], labelSelector: { ...options.labels }, table };
  return followChanges(server.client, wanted, revision, signal);
}
