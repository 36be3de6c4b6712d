import { RpcError } from '#rpc/rpcError.ts';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { withDeadline } from '../../deadline.ts';
import { exitCodes } from '../../exitCodes.ts';
import { isSet, numberFlag, textsFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kinds, parseTargets, type Kind } from '../../kinds.ts';
import { loadManifests } from '../../manifests/load.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { untilGone } from '../../server/gone.ts';
import { onNamed } from '../../server/notFound.ts';

export interface DeleteOptions {
  readonly target: TargetOptions;
  readonly named: readonly Doomed[];
  readonly files: readonly string[];
  readonly recursive: boolean;
  readonly now: boolean;
  readonly wait: boolean;
  /** Null: for ever. */
  readonly timeoutMs: number | null;
  readonly ignoreNotFound: boolean;
}

interface Doomed {
  readonly kind: Kind;
  readonly name: string;
}

export function compileDelete(words: readonly string[], flags: Flags): DeleteOptions {
  const files = textsFlag(flags, 'filename');
  if (words.length > 0 === files.length > 0) {
    throw new CliError(exitCodes.usage, 'error: either TYPE NAME or -f FILE is wanted', ['See: shoal delete --help']);
  }
  const targets = words.length === 0 ? [] : parseTargets(words);
  if (targets.some((target) => target.names.length === 0)) {
    throw new CliError(exitCodes.usage, 'error: a name is wanted: TYPE NAME or TYPE/NAME', ['See: shoal delete --help']);
  }
  const timeoutMs = numberFlag(flags, 'timeout') ?? 0;
  return {
    target: compileTarget(flags),
    named: targets.flatMap(({ kind, names }) => names.map((name) => ({ kind, name }))),
    files,
    recursive: isSet(flags, 'recursive'),
    now: isSet(flags, 'now'),
    wait: flags['wait'] !== false,
    timeoutMs: timeoutMs > 0 ? timeoutMs : null,
    ignoreNotFound: isSet(flags, 'ignoreNotFound'),
  };
}

/** All are asked to go before the first is waited for: they stop at the same time. */
export async function runDelete(options: DeleteOptions, io: Io, signal: AbortSignal): Promise<number> {
  const fromFiles = await doomedIn(options, io);
  return withServer(
    options.target,
    io,
    async (server) => {
      let exitCode = fromFiles.exitCode;
      const going: (Doomed & { readonly uid: string })[] = [];
      for (const doomed of [...options.named, ...fromFiles.doomed]) {
        try {
          going.push({ ...doomed, uid: await ask(server, doomed, options) });
        } catch (error) {
          if (options.ignoreNotFound && isNotFound(error)) continue;
          exitCode = reportError(failureOf(error, server.address), io.stderr);
        }
      }
      for (const gone of going) {
        if (options.wait) await wait(server, gone, options, signal);
        io.stdout.write(`${gone.kind.singular} "${gone.name}" deleted\n`);
      }
      return exitCode;
    },
    signal,
  );
}

async function ask(server: Server, { kind, name }: Doomed, options: DeleteOptions): Promise<string> {
  const request = { object: { kind: kind.kind, name }, now: options.now };
  if (options.ignoreNotFound) return (await server.client.delete(request, server.unary())).uid;
  return (await onNamed(server, kind, name, () => server.client.delete(request, server.unary()))).uid;
}

async function wait(
  { client }: Server,
  { kind, name, uid }: Doomed & { readonly uid: string },
  options: DeleteOptions,
  signal: AbortSignal,
): Promise<void> {
  const timedOut = `error: timed out waiting for ${kind.singular} "${name}" to be gone; it is still being deleted`;
  await withDeadline(options.timeoutMs, timedOut, (ended) => untilGone(client, { kind: kind.kind, name, uid }, ended), signal);
}

function isNotFound(error: unknown): boolean {
  return error instanceof RpcError && error.code === 'NOT_FOUND';
}

async function doomedIn(options: DeleteOptions, io: Io): Promise<{ readonly doomed: readonly Doomed[]; readonly exitCode: number }> {
  const { manifests, problems } = await loadManifests({ files: options.files, recursive: options.recursive }, io);
  const doomed: Doomed[] = [];
  const said = [...problems];
  for (const { where, kind, name } of manifests) {
    const known = kinds.find((each) => each.kind === kind);
    if (known === undefined || name === '') said.push(`${where('')}: kind and metadata.name are wanted, of a kind that can be deleted`);
    else doomed.push({ kind: known, name });
  }
  for (const problem of said) io.stderr.write(`Error: ${problem}\n`);
  return { doomed, exitCode: said.length === 0 ? exitCodes.ok : exitCodes.error };
}
