import { readFile } from 'node:fs/promises';
import { CliError } from '../../cliError.ts';
import { reasonOf } from '../../config/configFile.ts';
import { exitCodes } from '../../exitCodes.ts';

/** The line that the controller prints when it listens. */
export interface Ready {
  readonly control: string;
  readonly agents: string;
  readonly contextFile: string;
}

/** What the controller wrote at its first start: how to reach it, and the first user's token. */
export interface ContextFile {
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
}

/** Undefined for any other line. */
export function parseReady(line: string): Ready | undefined {
  const value = parseJson(line);
  if (value?.['ready'] !== true) return undefined;
  const [control, agents, contextFile] = [value['control'], value['agents'], value['contextFile']];
  if (typeof control !== 'string' || typeof agents !== 'string' || typeof contextFile !== 'string') return undefined;
  return { control, agents, contextFile };
}

export async function readContextFile(path: string): Promise<ContextFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(exitCodes.error, `error: cannot read ${path}: ${reasonOf(error)}`);
  }
  const value = parseJson(text);
  const [server, caPem, token] = [value?.['server'], value?.['caPem'], value?.['token']];
  if (typeof server === 'string' && typeof caPem === 'string' && typeof token === 'string') return { server, caPem, token };
  throw new CliError(exitCodes.error, `error: ${path} is not a context file of the controller`);
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
