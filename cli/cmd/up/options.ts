import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CliError } from '../../cliError.ts';
import { exitCodes } from '../../exitCodes.ts';
import { numberFlag, textFlag, type Flags } from '../../flags.ts';
import { agentProgram, controllerProgram } from '../../rooms.ts';

export interface UpOptions {
  readonly context: string;
  readonly data: string;
  readonly listen: string;
  readonly agentListen: string;
  /** null: the defaults. */
  readonly policy: string | null;
  readonly agents: number;
  readonly gpusPerAgent: number;
  readonly gpuModel: string;
  /** As the agent takes it; null: they are whole. */
  readonly gpuSlots: string | null;
  readonly workDirectory: string;
  /** What is started: tests give their own. */
  readonly programs: { readonly controller: string; readonly agent: string };
}

type Env = Readonly<Record<string, string | undefined>>;

export function compileUp(flags: Flags, env: Env): UpOptions {
  const dataHome = env['XDG_DATA_HOME'] || join(env['HOME'] || homedir(), '.local', 'share');
  return {
    context: textFlag(flags, 'context') ?? 'local',
    data: resolve(textFlag(flags, 'data') ?? join(dataHome, 'shoal')),
    listen: addressFlag(flags, 'listen', 'listen'),
    agentListen: addressFlag(flags, 'agentListen', 'agent-listen'),
    policy: policyFlag(flags),
    agents: numberFlag(flags, 'agents') ?? 0,
    gpusPerAgent: numberFlag(flags, 'gpusPerAgent') ?? 2,
    gpuModel: textFlag(flags, 'gpuModel') ?? 'H100',
    gpuSlots: textFlag(flags, 'gpuSlots'),
    workDirectory: resolve(textFlag(flags, 'workDir') ?? '.'),
    programs: { controller: controllerProgram, agent: agentProgram },
  };
}

function policyFlag(flags: Flags): string | null {
  const path = textFlag(flags, 'policy');
  return path === null ? null : resolve(path);
}

function addressFlag(flags: Flags, key: string, flag: string): string {
  const address = textFlag(flags, key) ?? '';
  if (/^.+:\d{1,5}$/.test(address)) return address;
  throw new CliError(exitCodes.usage, `error: --${flag} "${address}" is not of the form HOST:PORT`);
}
