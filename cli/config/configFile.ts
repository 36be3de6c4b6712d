/**
 * The user's contexts: which clusters, and with which token. YAML, mode 0600, replaced as a whole by rename, so that a
 * crash leaves the old file or the new one. The YAML library is loaded only when the file is read or written.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CliError } from '../cliError.ts';
import { exitCodes } from '../exitCodes.ts';

export interface Context {
  readonly name: string;
  /** host:port of the control API. */
  readonly server: string;
  /** PEM text, or the path of a file that holds it. */
  readonly certificateAuthority: string;
  readonly token: string;
}

export interface Config {
  readonly currentContext: string | null;
  /** In the order of the file. */
  readonly contexts: readonly Context[];
}

type Env = Readonly<Record<string, string | undefined>>;

export function configPath(env: Env): string {
  if (env['SHOAL_CONFIG']) return resolve(env['SHOAL_CONFIG']);
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'shoal', 'config');
}

/** A file that does not exist is an empty configuration. */
export async function loadConfig(path: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return { currentContext: null, contexts: [] };
    throw new CliError(exitCodes.error, `error: cannot read ${path}: ${reasonOf(error)}`);
  }
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw invalid(path, reasonOf(error).split('\n')[0] ?? '');
  }
  return parseConfig(path, value);
}

export async function saveConfig(path: string, config: Config): Promise<void> {
  const { stringify } = await import('yaml');
  const text = stringify({ currentContext: config.currentContext ?? '', contexts: config.contexts }, { lineWidth: 0 });
  await writePrivately(path, text);
}

/** Adds the context, or replaces the one of the same name. */
export function withContext(config: Config, context: Context): Config {
  const at = config.contexts.findIndex((each) => each.name === context.name);
  const contexts = at < 0 ? [...config.contexts, context] : config.contexts.with(at, context);
  return { ...config, contexts };
}

async function writePrivately(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(draft, 0o600);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new CliError(exitCodes.error, `error: cannot write ${path}: ${reasonOf(error)}`);
  }
}

function parseConfig(path: string, value: unknown): Config {
  if (value === null || value === undefined) return { currentContext: null, contexts: [] };
  if (!isRecord(value)) throw invalid(path, 'a mapping with contexts is wanted');
  const contexts = value['contexts'] ?? [];
  if (!Array.isArray(contexts)) throw invalid(path, 'contexts: a list is wanted');
  return {
    currentContext: textOr(value['currentContext'], '') || null,
    contexts: contexts.map((each: unknown, index) => parseContext(path, index, each)),
  };
}

function parseContext(path: string, index: number, value: unknown): Context {
  if (!isRecord(value)) throw invalid(path, `contexts[${index}]: a mapping is wanted`);
  const name = textOr(value['name'], '');
  if (name === '') throw invalid(path, `contexts[${index}].name: a name is wanted`);
  return {
    name,
    server: textOr(value['server'], ''),
    certificateAuthority: textOr(value['certificateAuthority'], ''),
    token: textOr(value['token'], ''),
  };
}

function textOr(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, why: string): CliError {
  return new CliError(exitCodes.error, `error: the configuration ${path} is not valid: ${why}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
