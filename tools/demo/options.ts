import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** Leave the cluster running at the end and say where it is. */
  readonly keep: boolean;
  /** Of the job; null: as its manifest says. */
  readonly steps: number | null;
}

export const usage = `npm run demo [-- --keep] [--steps N]

  --keep     leave the cluster running at the end
  --end DIR  end a cluster that --keep left running, and remove its folder
  --steps N  train N steps instead of the manifest's 200 (at least 60: a node is lost in the middle)
`;

export type ParsedOptions =
  | { readonly kind: 'run'; readonly options: DemoOptions }
  | { readonly kind: 'end'; readonly folder: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

const stepsMin = 60;

export function parseOptions(words: readonly string[]): ParsedOptions {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        keep: { type: 'boolean', default: false },
        end: { type: 'string' },
        steps: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    if (values.end !== undefined) return parseEnd(values.end);
    const steps = values.steps === undefined ? null : Number(values.steps);
    if (steps !== null && (!Number.isSafeInteger(steps) || steps < stepsMin)) {
      return { kind: 'wrong', message: `--steps ${values.steps ?? ''}: a whole number of at least ${stepsMin} is wanted` };
    }
    return { kind: 'run', options: { keep: values.keep, steps } };
  } catch (error) {
    return { kind: 'wrong', message: error instanceof Error ? error.message : String(error) };
  }
}

/** Only a folder that a demo made: its contents are removed. */
function parseEnd(folder: string): ParsedOptions {
  if (existsSync(join(folder, 'bin', 'shoal')) && existsSync(join(folder, 'logs'))) return { kind: 'end', folder: resolve(folder) };
  return { kind: 'wrong', message: `--end ${folder}: not the folder of a demo` };
}
