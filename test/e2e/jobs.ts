/** Manifests of the jobs that the tests run. */
import { fileURLToPath } from 'node:url';

const trainer = fileURLToPath(new URL('./fixtures/trainer.mjs', import.meta.url));

export interface JobWanted {
  readonly name: string;
  readonly workers?: number;
  readonly gpusPerWorker?: number;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** More fields of the spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

export function job({ name, workers = 1, gpusPerWorker = 1, command, env = {}, workingDirectory, spec = {} }: JobWanted): object {
  const template = { command, env, ...(workingDirectory === undefined ? {} : { workingDirectory }) };
  return { apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name }, spec: { workers, gpusPerWorker, ...spec, template } };
}

export interface TrainingWanted {
  readonly name: string;
  readonly workers?: number;
  readonly gpusPerWorker?: number;
  /** The trainer's; see fixtures/trainer.mjs. */
  readonly out: string;
  readonly steps: number;
  readonly stepMs?: number;
  readonly checkpointEvery?: number;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Checkpoints go to `<out>/<name>`. */
export function training({ name, out, steps, stepMs = 30, checkpointEvery = 10, spec = {}, ...shape }: TrainingWanted): object {
  return job({
    ...shape,
    name,
    command: [process.execPath, trainer],
    env: {
      ...librariesOfNode(),
      TRAINER_OUT: out,
      TRAINER_STEPS: String(steps),
      TRAINER_STEP_MS: String(stepMs),
      TRAINER_CHECKPOINT_EVERY: String(checkpointEvery),
    },
    spec: { checkpoint: { directory: `${out}/${name}` }, ...spec },
  });
}

/** A rank inherits little of its agent; a Node that needs a library from elsewhere (tools/nodeLibrary.mjs) has to be told. */
function librariesOfNode(): Readonly<Record<string, string>> {
  const folders = process.env['LD_LIBRARY_PATH'];
  return folders === undefined ? {} : { LD_LIBRARY_PATH: folders };
}
