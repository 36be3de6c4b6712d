/**
 * The agent's command line, compiled once into checked options. Every flag can also stand in a JSON file
 * (`--config FILE`, keys as the flags without dashes in front, e.g. {"node": "n1", "gpus": "2"}); a flag wins.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { findDivisionProblem } from '#vocabulary/gpuProfile.ts';
import { namePattern, nodeName, type NodeName } from '#vocabulary/ids.ts';
import { defaultLevels } from '#vocabulary/topology.ts';

export type AgentCommand =
  | { readonly kind: 'run'; readonly options: RunOptions }
  | { readonly kind: 'join'; readonly options: JoinCommand }
  | { readonly kind: 'help' };

export interface RunOptions {
  readonly node: NodeName;
  /** Absolute. */
  readonly dataFolder: string;
  /** host:port of the controller's listener for agents; null: as told when the node joined. */
  readonly controller: string | null;
  /** Where ranks of other nodes reach this one. */
  readonly address: string;
  /** Domain names, outermost first, without the node. */
  readonly path: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly gpus: { readonly count: number; readonly model: string; readonly slots: readonly string[] };
  /** Absolute. */
  readonly workFolder: string;
  readonly cgroups: 'auto' | 'off';
  /** User name or number; null: the agent's own. */
  readonly runAs: string | null;
  readonly logLevel: LogLevel;
}

export interface JoinCommand {
  readonly node: NodeName;
  readonly dataFolder: string;
  /** host:port of the control API. */
  readonly controller: string;
  readonly token: TokenSource;
}

export type TokenSource =
  | { readonly kind: 'environment'; readonly text: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'file'; readonly path: string };

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What the user wrote cannot be used; the message names the flag and the value. */
export class ConfigProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigProblem';
  }
}

export const usage = `shoal agent: runs the ranks of one node

  agent/main.ts join --controller HOST:PORT --node NAME --data DIR --token-file PATH|-
      Makes this node part of a cluster. The token comes from the file, from stdin (-), or from SHOAL_JOIN_TOKEN.

  agent/main.ts run --node NAME --data DIR [flags]
      --config FILE           JSON object with the flags below as keys; flags win
      --controller HOST:PORT  the controller's port for agents (default: as told when the node joined)
      --address HOST          where other nodes reach this one's ranks (default 127.0.0.1)
      --topology LEVELS       e.g. zone=z1,block=b1,rack=r1 (default zone=default,block=default,rack=default)
      --label KEY=VALUE       may be repeated
      --gpus N                simulated GPUs (default 0)
      --gpu-model MODEL       of the simulated GPUs (default H100)
      --gpu-slots LIST        MIG slots of each simulated GPU, e.g. 1g.10gb=7 or 3g.40gb=1,1g.10gb=4 (default none)
      --work-dir DIR          where ranks run whose job names no folder (default DATA/work)
      --cgroups auto|off      (default auto)
      --run-as USER           user of the ranks, name or number; needs root (default: the agent's own)
      --log-level LEVEL       ${logLevels.join(', ')} (default info)
`;

const runFlags = {
  config: { type: 'string' },
  data: { type: 'string' },
  node: { type: 'string' },
  controller: { type: 'string' },
  address: { type: 'string' },
  topology: { type: 'string' },
  label: { type: 'string', multiple: true },
  gpus: { type: 'string' },
  'gpu-model': { type: 'string' },
  'gpu-slots': { type: 'string' },
  'work-dir': { type: 'string' },
  cgroups: { type: 'string' },
  'run-as': { type: 'string' },
  'log-level': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

const joinFlags = {
  data: { type: 'string' },
  node: { type: 'string' },
  controller: { type: 'string' },
  'token-file': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

type Env = Readonly<Record<string, string | undefined>>;
type Flags = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Throws `ConfigProblem`. */
export function compileCommand(args: readonly string[], env: Env): AgentCommand {
  const [command, ...rest] = args;
  if (command === undefined || command === 'help' || rest.includes('--help') || command === '--help') return { kind: 'help' };
  switch (command) {
    case 'run':
      return { kind: 'run', options: compileRun(parseFlags(rest, runFlags)) };
    case 'join':
      return { kind: 'join', options: compileJoin(parseFlags(rest, joinFlags), env) };
    default:
      throw new ConfigProblem(`"${command}" is no command; known are run, join`);
  }
}

function parseFlags(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>): Flags {
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
    const flags: Record<string, string | readonly string[]> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'string') flags[name] = value;
      else if (Array.isArray(value)) flags[name] = value.map(String);
    }
    return typeof flags['config'] === 'string' ? { ...readConfig(flags['config'], Object.keys(options)), ...flags } : flags;
  } catch (error) {
    if (error instanceof ConfigProblem) throw error;
    throw new ConfigProblem(error instanceof Error ? error.message : String(error));
  }
}

function readConfig(path: string, known: readonly string[]): Flags {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigProblem(`--config ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigProblem(`--config ${path}: not a JSON object`);
  const flags: Record<string, string | readonly string[]> = {};
  for (const [name, each] of Object.entries(value)) {
    if (!known.includes(name) || name === 'config')
      throw new ConfigProblem(`--config ${path}: unknown key "${name}"; known are ${known.join(', ')}`);
    if (Array.isArray(each) && name === 'label') flags[name] = each.map(String);
    else if (typeof each === 'string' || typeof each === 'number') flags[name] = String(each);
    else throw new ConfigProblem(`--config ${path}: "${name}" is neither a string nor a number`);
  }
  return flags;
}

function compileRun(flags: Flags): RunOptions {
  const dataFolder = resolve(required(flags, 'data'));
  return {
    node: compileNode(flags),
    dataFolder,
    controller: single(flags, 'controller') ?? null,
    address: single(flags, 'address') ?? '127.0.0.1',
    path: compileTopology(single(flags, 'topology')),
    labels: compileLabels(flags['label']),
    gpus: {
      count: compileGpus(single(flags, 'gpus') ?? '0'),
      model: single(flags, 'gpu-model') ?? 'H100',
      slots: compileSlots(single(flags, 'gpu-slots')),
    },
    workFolder: resolve(single(flags, 'work-dir') ?? `${dataFolder}/work`),
    cgroups: oneOf(flags, 'cgroups', ['auto', 'off'] as const) ?? 'auto',
    runAs: single(flags, 'run-as') ?? null,
    logLevel: oneOf(flags, 'log-level', logLevels) ?? 'info',
  };
}

function compileJoin(flags: Flags, env: Env): JoinCommand {
  const file = single(flags, 'token-file');
  const text = env['SHOAL_JOIN_TOKEN'];
  let token: TokenSource;
  if (file !== undefined) token = file === '-' ? { kind: 'stdin' } : { kind: 'file', path: file };
  else if (text !== undefined && text !== '') token = { kind: 'environment', text };
  else throw new ConfigProblem('--token-file is missing, and so is SHOAL_JOIN_TOKEN');
  return { node: compileNode(flags), dataFolder: resolve(required(flags, 'data')), controller: required(flags, 'controller'), token };
}

function compileNode(flags: Flags): NodeName {
  const name = required(flags, 'node');
  if (!namePattern.test(name)) throw new ConfigProblem(`--node "${name}" is no name: lower-case letters, digits, '-' and '.', at most 63`);
  return nodeName(name);
}

function compileTopology(text: string | undefined): readonly string[] {
  const levels = defaultLevels.slice(0, -1);
  if (text === undefined) return levels.map(() => 'default');
  const parts = text.split(',').map((part) => part.split('='));
  const names = parts.map(([level]) => level);
  if (names.join() !== levels.join() || parts.some(([, name = '', ...more]) => !namePattern.test(name) || more.length > 0)) {
    throw new ConfigProblem(`--topology "${text}": wanted is ${levels.map((level) => `${level}=NAME`).join(',')}`);
  }
  return parts.map(([, name = '']) => name);
}

function compileLabels(values: Flags[string]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const text of typeof values === 'string' ? [values] : (values ?? [])) {
    const at = text.indexOf('=');
    if (at < 1) throw new ConfigProblem(`--label "${text}" is not KEY=VALUE`);
    labels[text.slice(0, at)] = text.slice(at + 1);
  }
  return labels;
}

function compileGpus(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count > 16) throw new ConfigProblem(`--gpus "${text}" is no whole number from 0 to 16`);
  return count;
}

/** Profiles, each as often as it is there. */
function compileSlots(text: string | undefined): readonly string[] {
  const slots = (text ?? '').split(',').flatMap((part) => {
    const [profile = '', count = '1', ...more] = part.split('=');
    if (text === undefined) return [];
    if (!/^[1-7]$/.test(count) || more.length > 0) throw new ConfigProblem(`--gpu-slots "${part}" is not PROFILE=COUNT`);
    return Array.from({ length: Number(count) }, () => profile);
  });
  const problem = findDivisionProblem(slots);
  if (problem !== null) throw new ConfigProblem(`--gpu-slots: ${problem}`);
  return slots;
}

function required(flags: Flags, name: string): string {
  const value = single(flags, name);
  if (value === undefined || value === '') throw new ConfigProblem(`--${name} is missing`);
  return value;
}

function single(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

function oneOf<T extends string>(flags: Flags, name: string, allowed: readonly T[]): T | undefined {
  const text = single(flags, name);
  const value = allowed.find((each) => each === text);
  if (text !== undefined && value === undefined) throw new ConfigProblem(`--${name} "${text}" is none of ${allowed.join(', ')}`);
  return value;
}
