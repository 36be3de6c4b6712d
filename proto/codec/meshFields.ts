/** `spec.mesh`, `spec.traffic` and `spec.placement.axisOrder`: axes, what travels along them, and the order of their ranks. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { TrainingJobSpec } from '#gen/shoal/v1/training_job_pb.js';
import { meshAxes, type JobSpec, type Mesh, type MeshAxis } from '#vocabulary/job.ts';
import { formatBytes, parseBytes } from '#vocabulary/units.ts';
import { itemPath, memberPath } from './fieldPath.ts';
import { excerpt, type Problems } from './fieldProblem.ts';
import { judgeDistinct } from './judgeDistinct.ts';

type MeshSpec = Pick<JobSpec, 'axisOrder' | 'traffic'>;

/** The axes that a manifest gives, slowest first. */
export function compileMesh({ mesh, placement }: Pick<TrainingJobSpec, 'mesh' | 'placement'>): Mesh {
  const given = (placement?.axisOrder ?? []).flatMap((name) => meshAxes.find((axis) => axis === name) ?? []);
  return [...new Set([...given, ...meshAxes])].flatMap((axis) => {
    const size = mesh[axis];
    return size === undefined ? [] : [{ axis, size }];
  });
}

export function compileMeshWishes(spec: Pick<TrainingJobSpec, 'mesh' | 'traffic' | 'placement'>, problems: Problems): MeshSpec {
  return { axisOrder: compileAxisOrder(spec, problems), traffic: compileTraffic(spec, problems) };
}

function compileAxisOrder({ mesh, placement }: Pick<TrainingJobSpec, 'mesh' | 'placement'>, problems: Problems): readonly MeshAxis[] {
  const path = 'spec.placement.axisOrder';
  const names = placement?.axisOrder ?? [];
  judgeDistinct(path, names, problems);
  const axes = meshAxes.filter((axis) => mesh[axis] !== undefined);
  for (const [index, name] of names.entries()) {
    if (!axes.some((axis) => axis === name))
      problems.add(itemPath(path, index), `${excerpt(name)} is no axis of spec.mesh (${listOf(axes)})`);
  }
  const missing = axes.filter((axis) => !names.includes(axis));
  if (names.length > 0 && missing.length > 0) problems.add(path, `${missing.join(', ')} of spec.mesh is missing; allowed: all its axes`);
  return names.flatMap((name) => meshAxes.find((axis) => axis === name) ?? []);
}

function compileTraffic({ mesh, traffic }: Pick<TrainingJobSpec, 'mesh' | 'traffic'>, problems: Problems): JobSpec['traffic'] {
  const bytes: Partial<Record<MeshAxis, number>> = {};
  for (const axis of meshAxes) {
    const text = traffic[axis];
    if (text === undefined) continue;
    const path = memberPath('spec.traffic', axis);
    const amount = parseBytes(text) ?? 0;
    if (mesh[axis] === undefined)
      problems.add(path, `given, but spec.mesh has no axis ${axis} (${listOf(meshAxes.filter((each) => mesh[each] !== undefined))})`);
    else if (amount === 0) problems.add(path, `${excerpt(text)} is out of range; allowed: more than 0`);
    bytes[axis] = amount;
  }
  return bytes;
}

const listOf = (axes: readonly string[]): string => (axes.length === 0 ? 'it has none' : axes.join(', '));

/** As a manifest would have it; what is not asked for is left out. */
export function trafficToJson({ traffic }: Pick<JobSpec, 'traffic'>): JsonObject {
  const given = meshAxes.flatMap((axis) => {
    const bytes = traffic[axis];
    return bytes === undefined ? [] : [[axis, formatBytes(bytes)]];
  });
  return given.length === 0 ? {} : { traffic: Object.fromEntries(given) as JsonObject };
}
