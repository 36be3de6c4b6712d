import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { isSet, numberFlag, parsePairs, textFlag, textsFlag, type Flags } from '../../flags.ts';

export interface RunOptions {
  readonly target: TargetOptions;
  readonly name: string | null;
  readonly queue: string | null;
  readonly gpus: number | null;
  readonly workers: number | null;
  readonly gpusPerWorker: number | null;
  readonly gpuModels: readonly string[];
  readonly mesh: Readonly<Record<string, number>>;
  readonly env: Readonly<Record<string, string>>;
  readonly cpu: string | null;
  readonly memory: string | null;
  readonly checkpointDirectory: string | null;
  readonly priority: number | null;
  readonly workingDirectory: string | null;
  readonly detach: boolean;
  readonly command: readonly string[];
}

export function compileRun(command: readonly string[], flags: Flags): RunOptions {
  return {
    target: compileTarget(flags),
    name: textFlag(flags, 'name'),
    queue: textFlag(flags, 'queue'),
    gpus: numberFlag(flags, 'gpus'),
    workers: numberFlag(flags, 'workers'),
    gpusPerWorker: numberFlag(flags, 'gpusPerWorker'),
    gpuModels: textsFlag(flags, 'gpuModel'),
    mesh: parseMesh(textFlag(flags, 'mesh')),
    env: parsePairs(textsFlag(flags, 'env'), '--env'),
    cpu: textFlag(flags, 'cpu'),
    memory: textFlag(flags, 'memory'),
    checkpointDirectory: textFlag(flags, 'checkpointDir'),
    priority: numberFlag(flags, 'priority'),
    workingDirectory: textFlag(flags, 'workdir'),
    detach: isSet(flags, 'detach'),
    command,
  };
}

function parseMesh(text: string | null): Readonly<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const [axis, size] of Object.entries(text === null ? {} : parsePairs(text.split(','), '--mesh'))) {
    if (!/^[1-9]\d{0,5}$/.test(size)) throw new CliError(exitCodes.usage, `error: --mesh: ${axis}="${size}" is not a size`);
    sizes[axis] = Number(size);
  }
  return sizes;
}
