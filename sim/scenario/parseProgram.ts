import { compileManifest, type CompiledManifest } from '#codec/manifest.ts';
import type { Fields } from '#codec/fields.ts';
import type { ProgramPlan } from './scenario.ts';

const stepMsDefault = 10_000;

/** `run` of a timeline entry; null: all defaults. `workers` is that of the manifest, filled in later. */
export function parseProgram(entry: Fields | null): ProgramPlan {
  const known = ['work', 'step', 'checkpointEvery', 'checkpointTakes', 'memoryCheckpointEvery', 'loadTakes', 'onSuspend', 'exit'];
  const run = entry?.fields('run', known);
  const exit = run?.fields('exit', ['after', 'code']);
  if (exit !== null && exit !== undefined) exit.require('after');
  return {
    workMs: run?.durationMs('work', 1) ?? null,
    stepMs: run?.durationMs('step', 1) ?? stepMsDefault,
    workers: 1,
    checkpointEveryMs: run?.durationMs('checkpointEvery', 1) ?? null,
    checkpointTakesMs: run?.durationMs('checkpointTakes') ?? 0,
    memoryCheckpointEveryMs: run?.durationMs('memoryCheckpointEvery', 1) ?? null,
    loadTakesMs: run?.durationMs('loadTakes') ?? 0,
    onSuspend: run?.choice('onSuspend', ['save', 'ignore', 'exit']) ?? 'save',
    exit:
      exit === null || exit === undefined
        ? null
        : { afterMs: exit.durationMs('after') ?? 0, code: exit.wholeNumber('code', { min: 0, max: 255 }) ?? 1 },
  };
}

/**
 * A manifest through the codec of the API; null: refused, and told with paths of the scenario. A simulated program has
 * no command and saves somewhere: those two may be left out here, and nothing else.
 */
export function compileApplied(
  fields: Fields,
  json: unknown,
  path: string,
  program: ProgramPlan,
): Extract<CompiledManifest, { ok: true }> | null {
  const compiled = compileManifest(isMapping(json) && json['kind'] === 'TrainingJob' ? completed(json, program) : json);
  if (compiled.ok) return compiled;
  for (const { field, message } of compiled.problems) fields.problems.add(field === '' ? path : `${path}.${field}`, message);
  return null;
}

function completed(manifest: Readonly<Record<string, unknown>>, { onSuspend, checkpointEveryMs }: ProgramPlan): unknown {
  const spec = manifest['spec'];
  if (!isMapping(spec)) return manifest;
  const saves = onSuspend === 'save' || checkpointEveryMs !== null;
  return {
    ...manifest,
    spec: { template: { command: ['simulated'] }, ...(saves ? { checkpoint: { directory: 'checkpoints' } } : {}), ...spec },
  };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
