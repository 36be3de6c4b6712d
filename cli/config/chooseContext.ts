import { readFile } from 'node:fs/promises';
import { CliError } from '../cliError.ts';
import { exitCodes } from '../exitCodes.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { configPath, loadConfig, reasonOf, type Config, type Context } from './configFile.ts';
import type { TargetOptions } from './target.ts';

/** What a connection needs; the certificate authority is PEM text by now. */
export interface Access {
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
}

export async function chooseContext(target: TargetOptions, env: Readonly<Record<string, string | undefined>>): Promise<Access> {
  const path = configPath(env);
  const config = await loadConfig(path);
  const context = pickContext(config, target.context);
  const server = target.server ?? context.server;
  if (!/^.+:\d{1,5}$/.test(server)) {
    throw new CliError(exitCodes.error, `error: context "${context.name}": the server "${server}" is not of the form host:port`, [
      `Set it: shoal config set-context ${context.name} --server HOST:PORT`,
    ]);
  }
  return { server, caPem: await caPemOf(context), token: context.token };
}

export function pickContext(config: Config, wanted: string | null): Context {
  const name = wanted ?? config.currentContext;
  if (name === null) {
    throw new CliError(exitCodes.notAllowed, 'error: no cluster is configured', [
      'Start one here: shoal up',
      'Or add one:     shoal config set-context NAME --server HOST:PORT --certificate-authority FILE --token-file FILE',
    ]);
  }
  const context = config.contexts.find((each) => each.name === name);
  if (context !== undefined) return context;
  const near = didYouMean(
    name,
    config.contexts.map((each) => each.name),
  );
  throw new CliError(exitCodes.notFound, `error: no context exists with the name "${name}"`, [
    ...(near === undefined ? [] : [`Did you mean "${near}"?`]),
    'List them: shoal config get-contexts',
  ]);
}

async function caPemOf(context: Context): Promise<string> {
  const value = context.certificateAuthority;
  if (value.includes('-----BEGIN')) return value;
  if (value === '') throw new CliError(exitCodes.error, `error: context "${context.name}" has no certificateAuthority`);
  try {
    return await readFile(value, 'utf8');
  } catch (error) {
    throw new CliError(exitCodes.error, `error: context "${context.name}": cannot read the certificate authority: ${reasonOf(error)}`);
  }
}
