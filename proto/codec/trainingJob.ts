/**
 * A decoded TrainingJob ↔ the `JobSpec` that the core works with. Here stand the rules that hold across fields and the
 * defaults; the rules of single fields stand in training_job.proto.
 */
import type { JsonObject } from '@bufbuild/protobuf';
import {
  TrainingJobSchema,
  TrainingJobSpecSchema,
  type Checkpoint,
  type Restarts,
  type TrainingJob,
  type TrainingJobSpec,
  type WorkerTemplate as WireTemplate,
} from '#gen/shoal/v1/training_job_pb.js';
import { jobName, queueName, type JobName } from '#vocabulary/ids.ts';
import { defaultGraceMs, type CheckpointSpec, type JobSpec, type WorkerTemplate } from '#vocabulary/job.ts';
import { formatBytes, formatDuration, formatQuantity, parseBytes, parseQuantityMilli } from '#vocabulary/units.ts';
import type { CompileResult } from './compiled.ts';
import { durationMs } from './durationField.ts';
import { memberPath } from './fieldPath.ts';
import { excerpt, Problems } from './fieldProblem.ts';
import { compileElastic } from './elasticField.ts';
import { compileGangShape } from './gangShape.ts';
import { judgeDistinct } from './judgeDistinct.ts';
import { compileMeshWishes, trafficToJson } from './meshFields.ts';
import { compilePlacement, placementToJson } from './placementFields.ts';
import { compileTiming, timingToJson } from './timingFields.ts';
import { judgeUnserved, withUnserved } from './unserved.ts';

const defaultQueue = 'default';
const defaultPriority = 20;
const dayMs = 86_400_000;
/** Milliseconds travel to agents in 32 bits (49 days); nobody waits a day for a checkpoint. */
const graceMsMax = dayMs;
const intervalMsMax = 30 * dayMs;

export function compileTrainingJob(message: TrainingJob): CompileResult<JobName, JobSpec> {
  const { metadata, spec } = message;
  const problems = new Problems();
  const unserved = judgeUnserved(TrainingJobSchema, message);
  for (const { field, message: why } of unserved.problems) problems.add(field, why);
  if (spec?.template === undefined || metadata === undefined) {
    problems.add('', 'metadata, spec and spec.template are required');
    return { ok: false, problems: problems.found };
  }
  const name = jobName(metadata.name);
  const compiled = compileSpec(name, spec, spec.template, problems);
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  const { labels, annotations } = metadata;
  return { ok: true, name, labels, annotations, spec: { ...compiled, unserved: unserved.kept }, warnings: unserved.warnings };
}

function compileSpec(name: JobName, spec: TrainingJobSpec, template: WireTemplate, problems: Problems): Omit<JobSpec, 'unserved'> {
  const shape = compileGangShape(spec, problems);
  const placement = compilePlacement(spec.placement, problems);
  judgeDistinct('spec.gpuModel', spec.gpuModel, problems);
  return {
    queue: queueName(spec.queue === '' ? defaultQueue : spec.queue),
    priority: spec.priority ?? defaultPriority,
    preemptible: spec.preemptible ?? true,
    gpuModels: spec.gpuModel,
    ...shape,
    processesPerWorker: spec.processesPerWorker === 'gpu' ? 'gpu' : 'worker',
    ...compileMeshWishes(spec, problems),
    ...placement,
    ...compileTiming(name, spec, problems),
    elastic: compileElastic(spec.elastic, { ...shape, segments: placement.segments }, problems),
    spares: spec.spares ?? 0,
    checkpoint: spec.checkpoint === undefined ? null : compileCheckpoint(spec.checkpoint, problems),
    restarts: compileRestarts(spec.restarts, problems),
    template: compileTemplate(template, problems),
  };
}

function compileCheckpoint({ directory, interval, grace, keep }: Checkpoint, problems: Problems): CheckpointSpec {
  return {
    directory,
    intervalMs: durationMs(interval, 'spec.checkpoint.interval', { minMs: 1, maxMs: intervalMsMax }, problems),
    graceMs: durationMs(grace, 'spec.checkpoint.grace', { minMs: 0, maxMs: graceMsMax }, problems) ?? defaultGraceMs,
    keep: keep ?? null,
  };
}

function compileRestarts(restarts: Restarts | undefined, problems: Problems): JobSpec['restarts'] {
  const max = restarts?.max ?? 0;
  const withinMs = durationMs(restarts?.within ?? '', 'spec.restarts.within', { minMs: 1 }, problems);
  if (withinMs !== null && max === 0) problems.add('spec.restarts.within', 'given, but spec.restarts.max is 0: nothing is ever restarted');
  return { max, withinMs };
}

function compileTemplate({ command, env, workingDirectory, resources }: WireTemplate, problems: Problems): WorkerTemplate {
  if (command[0] === '') problems.add('spec.template.command[0]', 'empty; allowed: the program to run');
  for (const name of Object.keys(env)) {
    if (!/^[^=\0]+$/.test(name))
      problems.add(memberPath('spec.template.env', name), `${excerpt(name)} is no name of an environment variable; allowed: no "="`);
  }
  return {
    command,
    env,
    workingDirectory,
    cpuMilli: amount(resources?.cpu ?? '', 'spec.template.resources.cpu', parseQuantityMilli, problems),
    memoryBytes: amount(resources?.memory ?? '', 'spec.template.resources.memory', parseBytes, problems),
  };
}

/** null: not given. */
function amount(text: string, path: string, parse: (text: string) => number | undefined, problems: Problems): number | null {
  if (text === '') return null;
  const value = parse(text) ?? 0;
  if (value > 0) return value;
  problems.add(path, `${excerpt(text)} is out of range; allowed: more than 0`);
  return null;
}

/** The spec as a manifest would have it, its defaults written out (those of placement and timing are left out); compiles to the same spec again. */
export function jobSpecToWire(spec: JobSpec): TrainingJobSpec {
  const { checkpoint, restarts, template } = spec;
  const json: JsonObject = {
    queue: spec.queue,
    priority: spec.priority,
    preemptible: spec.preemptible,
    gpuModel: [...spec.gpuModels],
    workers: spec.workers,
    ...gpusToJson(spec),
    processesPerWorker: spec.processesPerWorker,
    mesh: Object.fromEntries(spec.mesh.map(({ axis, size }) => [axis, size])),
    ...trafficToJson(spec),
    ...placementToJson(spec),
    ...timingToJson(spec),
    ...(spec.elastic === null ? {} : { elastic: { ...spec.elastic } }),
    ...(spec.spares === 0 ? {} : { spares: spec.spares }),
    ...(checkpoint === null ? {} : { checkpoint: checkpointToJson(checkpoint) }),
    restarts: { max: restarts.max, ...(restarts.withinMs === null ? {} : { within: formatDuration(restarts.withinMs) }) },
    template: templateToJson(template),
  };
  return withUnserved(TrainingJobSpecSchema, json, spec.unserved, 'spec');
}

function gpusToJson({ gpusPerWorker, gpuShareMilli, gpuProfile }: JobSpec): JsonObject {
  if (gpuProfile !== null) return { gpuProfile };
  return gpuShareMilli === null ? { gpusPerWorker } : { gpuShare: formatQuantity(gpuShareMilli) };
}

function checkpointToJson({ directory, intervalMs, graceMs, keep }: CheckpointSpec): JsonObject {
  return {
    directory,
    ...(intervalMs === null ? {} : { interval: formatDuration(intervalMs) }),
    grace: formatDuration(graceMs),
    ...(keep === null ? {} : { keep }),
  };
}

function templateToJson({ command, env, workingDirectory, cpuMilli, memoryBytes }: WorkerTemplate): JsonObject {
  const resources = {
    ...(cpuMilli === null ? {} : { cpu: formatQuantity(cpuMilli) }),
    ...(memoryBytes === null ? {} : { memory: formatBytes(memoryBytes) }),
  };
  return { command: [...command], env: { ...env }, workingDirectory, ...(Object.keys(resources).length === 0 ? {} : { resources }) };
}
