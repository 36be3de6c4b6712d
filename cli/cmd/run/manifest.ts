import { randomInt } from 'node:crypto';
import { basename } from 'node:path';
import type { RunOptions } from './options.ts';

/** No letters that make words or look like digits: kubectl's alphabet for made names. */
const letters = 'bcdfghjklmnpqrstvwxz2456789';

/** `python train.py` → `python-7k2xq`. */
export function makeName(command: readonly string[], random: (below: number) => number = (below) => randomInt(below)): string {
  const base = basename(command[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  const end = Array.from({ length: 5 }, () => letters[random(letters.length)] ?? 'x').join('');
  return `${base === '' ? 'run' : base}-${end}`;
}

export interface Shape {
  readonly workers: number | null;
  readonly gpusPerWorker: number | null;
}

/**
 * Workers and GPUs of each, from what the user gave. `largestNodeGpus` is that of the biggest node (0: not known); a job
 * that is bigger is cut into as few equal workers as fit. Undefined: the GPUs do not divide among the workers.
 */
export function shapeOf(
  gpus: number | null,
  workers: number | null,
  gpusPerWorker: number | null,
  largestNodeGpus: number,
): Shape | undefined {
  if (gpus === null || gpus === 0) return { workers, gpusPerWorker: gpus ?? gpusPerWorker };
  if (gpusPerWorker !== null) {
    const fitting = gpusPerWorker > 0 && gpus % gpusPerWorker === 0 && (workers === null || workers * gpusPerWorker === gpus);
    return fitting ? { workers: gpus / gpusPerWorker, gpusPerWorker } : undefined;
  }
  if (workers !== null) return gpus % workers === 0 ? { workers, gpusPerWorker: gpus / workers } : undefined;
  for (let each = Math.min(gpus, largestNodeGpus); each > 1; each--) {
    if (gpus % each === 0) return { workers: gpus / each, gpusPerWorker: each };
  }
  return largestNodeGpus === 0 ? { workers: 1, gpusPerWorker: gpus } : { workers: gpus, gpusPerWorker: 1 };
}

/** The TrainingJob that the flags describe; what was not given is left to the server's defaults. */
export function manifestOf(options: RunOptions, name: string, { workers, gpusPerWorker }: Shape): unknown {
  const resources = { ...given('cpu', options.cpu), ...given('memory', options.memory) };
  return {
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: {
      ...given('queue', options.queue),
      ...given('priority', options.priority),
      ...(options.gpuModels.length === 0 ? {} : { gpuModel: options.gpuModels }),
      ...given('workers', workers),
      ...given('gpusPerWorker', gpusPerWorker),
      ...(Object.keys(options.mesh).length === 0 ? {} : { mesh: options.mesh }),
      ...(options.checkpointDirectory === null ? {} : { checkpoint: { directory: options.checkpointDirectory } }),
      template: {
        command: options.command,
        ...(Object.keys(options.env).length === 0 ? {} : { env: options.env }),
        ...given('workingDirectory', options.workingDirectory),
        ...(Object.keys(resources).length === 0 ? {} : { resources }),
      },
    },
  };
}

function given(key: string, value: string | number | null): Record<string, string | number> {
  return value === null ? {} : { [key]: value };
}
