import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError } from '../../cliError.ts';
import { configPath, loadConfig, reasonOf, saveConfig, withContext } from '../../config/configFile.ts';
import { exitCodes } from '../../exitCodes.ts';
import { isSet, textFlag, type Flags } from '../../flags.ts';
import { readStdin, type Io } from '../../io.ts';

export interface SetContextOptions {
  readonly name: string;
  /** Null: as it was. */
  readonly server: string | null;
  readonly certificateAuthority: string | null;
  readonly embedCerts: boolean;
  readonly tokenFile: string | null;
  readonly current: boolean;
}

/** A token is some 50 characters; a file that is longer is another file. */
const tokenBytesMax = 4096;

export function compileSetContext(name: string, flags: Flags): SetContextOptions {
  const server = textFlag(flags, 'server');
  if (server !== null && !/^.+:\d{1,5}$/.test(server))
    throw new CliError(exitCodes.usage, `error: --server "${server}" is not of the form HOST:PORT`);
  return {
    name,
    server,
    certificateAuthority: textFlag(flags, 'certificateAuthority'),
    embedCerts: isSet(flags, 'embedCerts'),
    tokenFile: textFlag(flags, 'tokenFile'),
    current: isSet(flags, 'current'),
  };
}

export async function runSetContext(options: SetContextOptions, io: Io): Promise<number> {
  const path = configPath(io.env);
  const config = await loadConfig(path);
  const before = config.contexts.find(({ name }) => name === options.name);
  const server = options.server ?? before?.server;
  if (server === undefined) throw new CliError(exitCodes.usage, `error: a new context needs --server HOST:PORT`);
  const changed = withContext(config, {
    name: options.name,
    server,
    certificateAuthority: await authority(options, before?.certificateAuthority ?? ''),
    token: await token(options, before?.token ?? '', io),
  });
  const currentContext = options.current || config.contexts.length === 0 ? options.name : config.currentContext;
  await saveConfig(path, { ...changed, currentContext });
  io.stdout.write(`Context "${options.name}" ${before === undefined ? 'created' : 'modified'}.\n`);
  return exitCodes.ok;
}

async function authority({ certificateAuthority, embedCerts }: SetContextOptions, before: string): Promise<string> {
  if (certificateAuthority === null) return before;
  const text = await readSmallFile(certificateAuthority);
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new CliError(exitCodes.error, `error: ${certificateAuthority} holds no PEM certificate`);
  return embedCerts ? text : resolve(certificateAuthority);
}

async function token({ tokenFile }: SetContextOptions, before: string, io: Io): Promise<string> {
  if (tokenFile === null) return before;
  const text = tokenFile === '-' ? await readStdin(io, tokenBytesMax) : await readSmallFile(tokenFile);
  const trimmed = text?.trim() ?? '';
  if (trimmed === '' || trimmed.length > tokenBytesMax || /\s/.test(trimmed))
    throw new CliError(exitCodes.error, `error: ${tokenFile} holds no token`);
  return trimmed;
}

async function readSmallFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(exitCodes.error, `error: cannot read ${path}: ${reasonOf(error)}`);
  }
}
