import { CliError } from '../cliError.ts';
import { exitCodes } from '../exitCodes.ts';
import type { Kind } from '../kinds.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { RpcError } from '#rpc/rpcError.ts';
import type { Server } from './connection.ts';
import { serverSays } from './failure.ts';

/** The error for a name that does not exist: the nearest name that does, and the command that lists them. */
export async function notFound(server: Server, kind: Kind, name: string): Promise<CliError> {
  const near = didYouMean(name, await namesOf(server, kind));
  return new CliError(exitCodes.notFound, serverSays('NOT_FOUND', `${kind.plural} "${name}" not found`), [
    ...(near === undefined ? [] : [`Did you mean "${near}"?`]),
    `List them: shoal get ${kind.plural}`,
  ]);
}

/** Does the work on a named object; a NOT_FOUND of the server becomes the error above. */
export async function onNamed<T>(server: Server, kind: Kind, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RpcError && error.code === 'NOT_FOUND') throw await notFound(server, kind, name);
    throw error;
  }
}

/** A suggestion is a courtesy: when the list fails too, there is none. */
async function namesOf({ client, unary }: Server, kind: Kind): Promise<readonly string[]> {
  try {
    const { table } = await client.list({ kind: kind.kind, table: true }, unary());
    return table?.rows.map((row) => row.object?.name ?? '') ?? [];
  } catch {
    return [];
  }
}
