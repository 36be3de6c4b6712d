/** A decoded Queue ↔ the `QueueSpec` that the core works with. */
import type { JsonObject } from '@bufbuild/protobuf';
import { QueueSchema, QueueSpecSchema, type Queue, type QueueSpec as WireQueueSpec } from '#gen/shoal/v1/queue_pb.js';
import { queueName, type QueueName } from '#vocabulary/ids.ts';
import { defaultQueueSpec, type QueueSpec } from '#vocabulary/queue.ts';
import { formatDuration, parseDurationMs } from '#vocabulary/units.ts';
import type { CompileResult } from './compiled.ts';
import { memberPath } from './fieldPath.ts';
import { excerpt, Problems } from './fieldProblem.ts';
import { textFormats } from './textFormat.ts';
import { judgeUnserved, withUnserved } from './unserved.ts';

/** Shorter ones forget a job before the next pass looks. */
const halfLifeMsMin = 1000;

export function compileQueue(message: Queue): CompileResult<QueueName, QueueSpec> {
  const problems = new Problems();
  const { metadata, spec } = message;
  if (metadata === undefined || spec === undefined)
    return { ok: false, problems: [{ field: '', message: 'metadata and spec are required' }] };
  const unserved = judgeUnserved(QueueSchema, message);
  for (const { field, message: why } of unserved.problems) problems.add(field, why);
  if (spec.parent === metadata.name) problems.add('spec.parent', `${excerpt(spec.parent)} is this queue itself`);
  judgeModels('spec.guaranteed', spec.guaranteed, problems);
  judgeModels('spec.limit', spec.limit, problems);
  judgeModels('spec.perUser.limit', spec.perUser?.limit ?? {}, problems);
  judgeGuaranteed(spec, problems);
  const halfLifeMs = compileHalfLife(spec.halfLife, problems);
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  return {
    ok: true,
    name: queueName(metadata.name),
    labels: metadata.labels,
    annotations: metadata.annotations,
    spec: {
      parent: spec.parent === '' ? null : queueName(spec.parent),
      guaranteed: spec.guaranteed,
      limit: spec.limit,
      weight: spec.weight ?? defaultQueueSpec.weight,
      halfLifeMs,
      class: spec.class === 'serving' ? 'serving' : 'batch',
      hold: spec.hold,
      perUser: { limit: spec.perUser?.limit ?? {}, maxRunning: spec.perUser?.maxRunning ?? null },
      unserved: unserved.kept,
    },
    warnings: unserved.warnings,
  };
}

function judgeModels(path: string, amounts: Readonly<Record<string, number>>, problems: Problems): void {
  for (const model of Object.keys(amounts)) {
    if (!textFormats.gpuModel.matches(model))
      problems.add(memberPath(path, model), `key ${excerpt(model)} is not allowed; allowed: ${textFormats.gpuModel.allowed}`);
  }
}

function judgeGuaranteed({ guaranteed, limit }: WireQueueSpec, problems: Problems): void {
  for (const [model, amount] of Object.entries(guaranteed)) {
    const most = limit[model];
    if (most !== undefined && amount > most)
      problems.add(memberPath('spec.guaranteed', model), `${amount} is more than spec.limit.${model} ${most}`);
  }
}

/** null: not given. */
function compileHalfLife(text: string, problems: Problems): number | null {
  if (text === '') return null;
  const ms = parseDurationMs(text) ?? Number.NaN;
  if (ms >= halfLifeMsMin) return ms;
  problems.add('spec.halfLife', `${excerpt(text)} is out of range; allowed: at least ${formatDuration(halfLifeMsMin)}`);
  return null;
}

/** The spec as a manifest would have it; compiles to the same spec again. */
export function queueSpecToWire(spec: QueueSpec): WireQueueSpec {
  const { parent, perUser, halfLifeMs, hold } = spec;
  const hasUserLimits = perUser.maxRunning !== null || Object.keys(perUser.limit).length > 0;
  const json: JsonObject = {
    ...(parent === null ? {} : { parent }),
    guaranteed: { ...spec.guaranteed },
    limit: { ...spec.limit },
    weight: spec.weight,
    class: spec.class,
    ...(halfLifeMs === null ? {} : { halfLife: formatDuration(halfLifeMs) }),
    ...(hold ? { hold } : {}),
    ...(hasUserLimits
      ? { perUser: { limit: { ...perUser.limit }, ...(perUser.maxRunning === null ? {} : { maxRunning: perUser.maxRunning }) } }
      : {}),
  };
  return withUnserved(QueueSpecSchema, json, spec.unserved, 'spec');
}
