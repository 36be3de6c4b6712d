/**
 * `spec.placement` ↔ what the core knows of where workers may stand. Levels are the cluster's configuration, so what
 * depends on their order (how segments nest) is checked by the core.
 */
import type { JsonObject } from '@bufbuild/protobuf';
import type { Placement, PlacementConstraint, Segment } from '#gen/shoal/v1/training_job_pb.js';
import type { JobSpec } from '#vocabulary/job.ts';
import { formatDuration } from '#vocabulary/units.ts';
import { durationMs } from './durationField.ts';
import { itemPath } from './fieldPath.ts';
import type { Problems } from './fieldProblem.ts';
import { judgeDistinct } from './judgeDistinct.ts';

export type PlacementSpec = Pick<JobSpec, 'constraints' | 'segments' | 'spread' | 'exclusive' | 'nodeSelector' | 'avoidNodes' | 'packing'>;

const levelPath = (path: string, index: number): string => `${itemPath(path, index)}.level`;

export function compilePlacement(placement: Placement | undefined, problems: Problems): PlacementSpec {
  const { constraints = [], segments = [], spread, exclusive = '', nodeSelector = {}, avoidNodes = [], packing } = placement ?? {};
  judgeDistinct('spec.placement.avoidNodes', avoidNodes, problems);
  return {
    constraints: compileConstraints(constraints, problems),
    segments: compileSegments(segments, problems),
    spread: spread === undefined ? null : { level: spread.level, max: spread.max ?? 1 },
    exclusive: exclusive === '' ? null : exclusive,
    nodeSelector: { ...nodeSelector },
    avoidNodes,
    packing: packing === 'even' ? 'even' : 'tight',
  };
}

function compileConstraints(constraints: readonly PlacementConstraint[], problems: Problems): JobSpec['constraints'] {
  const path = 'spec.placement.constraints';
  const levels = constraints.map(({ level }) => level);
  judgeDistinct(path, levels, problems, levelPath);
  return constraints.map(({ level, mode: given, wait }, index) => {
    const mode = given === 'preferred' ? 'preferred' : 'required';
    const waitPath = `${itemPath(path, index)}.wait`;
    if (wait !== '' && mode === 'required') problems.add(waitPath, 'given, but the mode is required: such a level never widens');
    return { level, mode, waitMs: durationMs(wait, waitPath, { minMs: 1 }, problems) };
  });
}

function compileSegments(segments: readonly Segment[], problems: Problems): JobSpec['segments'] {
  const levels = segments.map(({ level }) => level);
  judgeDistinct('spec.placement.segments', levels, problems, levelPath);
  return segments.map(({ level, workers }) => ({ level, workers }));
}

/** As a manifest would have it; what is not asked for is left out. */
export function placementToJson(spec: PlacementSpec & Pick<JobSpec, 'axisOrder'>): { readonly placement?: JsonObject } {
  const { constraints, segments, spread, exclusive, nodeSelector, avoidNodes, packing, axisOrder } = spec;
  const placement: JsonObject = {
    ...(constraints.length === 0
      ? {}
      : {
          constraints: constraints.map(({ level, mode, waitMs }) => ({
            level,
            mode,
            ...(waitMs === null ? {} : { wait: formatDuration(waitMs) }),
          })),
        }),
    ...(segments.length === 0 ? {} : { segments: segments.map(({ level, workers }) => ({ level, workers })) }),
    ...(spread === null ? {} : { spread: { ...spread } }),
    ...(exclusive === null ? {} : { exclusive }),
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector: { ...nodeSelector } }),
    ...(avoidNodes.length === 0 ? {} : { avoidNodes: [...avoidNodes] }),
    ...(packing === 'tight' ? {} : { packing }),
    ...(axisOrder.length === 0 ? {} : { axisOrder: [...axisOrder] }),
  };
  return Object.keys(placement).length === 0 ? {} : { placement };
}
