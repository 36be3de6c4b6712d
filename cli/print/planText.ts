import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Displaced, PlanResult } from '#gen/shoal/v1/control_pb.js';
import type { StartEstimate, WorkerPlacement } from '#gen/shoal/v1/training_job_pb.js';
import { oneLine } from '../escapes.ts';
import { meshSections } from './mesh.ts';
import { formatSections } from './sections.ts';
import { formatAge, formatGpus, formatIndices, formatTime } from './format.ts';

/** What would become of one document, in lines that are indented below its name; a refusal is not its business. */
export function planText(plan: PlanResult): string {
  if (plan.waitReason === '') {
    const places = placeLines(plan.placement);
    const mesh = formatSections(meshSections(plan.mesh)).replace(/^(?=.)/gm, '  ');
    return places.length === 0 ? '' : `${lines(['would start now on:', ...places])}${mesh}`;
  }
  return lines([
    `would wait: ${plan.waitReason}: ${plan.waitMessage}`,
    ...(plan.verdict?.lines ?? []).slice(1).map(({ title, text }) => `  ${`${title}:`.padEnd(15)}${oneLine(text)}`),
    ...(plan.displaced.length === 0 ? [] : ['would ask to leave:', ...plan.displaced.map((each) => `  ${displacedText(each)}`)]),
    ...(plan.promised.length === 0 ? [] : ['would start then on:', ...placeLines(plan.promised)]),
  ]);
}

/** `in 8m (2026-11-25T12:08:00Z), 9 of 10 times within 20m`. */
export function estimateText({ p50, p90, at }: StartEstimate): string {
  if (p50 === undefined || at === undefined) return 'not known';
  const within = p90 === undefined ? '' : `, 9 of 10 times within ${formatAge(timestampMs(p90) - timestampMs(at))}`;
  return `in ${formatAge(timestampMs(p50) - timestampMs(at))} (${formatTime(p50)})${within}`;
}

function placeLines(placement: readonly WorkerPlacement[]): readonly string[] {
  return placement.map(
    ({ worker, node, gpus, slot }) =>
      `  worker ${worker}   ${node}   GPUs ${formatIndices(gpus) || '-'}${slot === '' ? '' : `, slot ${slot}`}`,
  );
}

function displacedText({ job, queue, user, gpuMilli, lostGpuSeconds, moves }: Displaced): string {
  const lost = `${(Number(lostGpuSeconds) / 3600).toFixed(2)} GPU-hours`;
  return `job/${job} of ${user} in ${queue}: ${formatGpus(gpuMilli)} GPUs, ${lost} of work since its last checkpoint and restart${moves ? '; it moves, and goes on at once' : ''}`;
}

const lines = (all: readonly string[]): string => all.map((line) => `  ${line}\n`).join('');
