import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { namePattern } from '#vocabulary/ids.ts';
import type { Levels } from '#vocabulary/topology.ts';
import { defaultLevels } from '#vocabulary/topology.ts';

/** What a controller is started with. */
export interface Config {
  readonly dataFolder: string;
  readonly control: Endpoint;
  readonly agents: Endpoint;
  /** DNS names and addresses in the server's certificate, beside loopback. */
  readonly names: readonly string[];
  readonly levels: Levels;
  /** A file of scheduling settings; null: the defaults. */
  readonly policyFile: string | null;
  readonly logLevel: string;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A flag that cannot be used; the message names it, its value and what is allowed. */
export class ConfigError extends Error {}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export const usage = `usage: node controller/main.ts --data FOLDER [flags]
  --data FOLDER            where everything is kept (made with mode 0700)
  --listen HOST:PORT       people and programs, default 127.0.0.1:7070; port 0 takes a free one
  --agent-listen HOST:PORT agents, default 127.0.0.1:7071
  --names NAME,…           DNS names and addresses under which others reach this machine
  --levels zone,block,…    topology levels, outermost first, the last is the node; default ${defaultLevels.join(',')}
  --policy FILE            settings of the scheduler, YAML; see docs/reference/limits.md
  --log-level LEVEL        ${logLevels.join(', ')}; default info`;

/** Throws ConfigError. */
export function parseConfig(args: readonly string[]): Config {
  const values = parseFlags(args);
  const data = values.data;
  if (data === undefined || data === '') throw new ConfigError('--data: a folder is needed');
  const logLevel = values['log-level'] ?? 'info';
  if (!logLevels.includes(logLevel)) throw new ConfigError(`--log-level: "${logLevel}" is none of ${logLevels.join(', ')}`);
  return {
    dataFolder: resolve(data),
    control: parseEndpoint('--listen', values.listen ?? '127.0.0.1:7070'),
    agents: parseEndpoint('--agent-listen', values['agent-listen'] ?? '127.0.0.1:7071'),
    names: [hostname(), ...splitList(values.names)],
    levels: parseLevels(values.levels),
    policyFile: values.policy === undefined ? null : resolve(values.policy),
    logLevel,
  };
}

function parseFlags(args: readonly string[]) {
  try {
    const text = { type: 'string' } as const;
    const options = { data: text, listen: text, 'agent-listen': text, names: text, levels: text, policy: text, 'log-level': text };
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

function parseEndpoint(flag: string, text: string): Endpoint {
  const match = /^(\[[0-9a-f:]+\]|[^:\s]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) throw new ConfigError(`${flag}: "${text}" is not HOST:PORT with a port of 0..65535`);
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

function parseLevels(text: string | undefined): Levels {
  if (text === undefined) return defaultLevels;
  const levels = splitList(text);
  const wrong = levels.find((level) => !namePattern.test(level));
  if (wrong !== undefined) throw new ConfigError(`--levels: "${wrong}" is no name`);
  if (levels.length < 1 || new Set(levels).size !== levels.length)
    throw new ConfigError(`--levels: "${text}" must name each level once, outermost first`);
  return levels;
}

const splitList = (text: string | undefined): readonly string[] => (text ?? '').split(',').filter((part) => part !== '');
