import type { JobSpec } from '#vocabulary/job.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { StateView } from '../state/view.ts';
import { emptyRoom, largestNode, modelsPresent, profilesPresent } from './emptyRoom.ts';
import type { SpecProblem } from './specProblem.ts';

interface Misfit extends SpecProblem {
  /** How near it is to fitting: the best model's misfit is told. */
  readonly room: number;
}

/**
 * What of a job can never fit the cluster as it is known: a worker larger than every node, a segment or a required
 * level larger than every domain. The whole gang being larger than the whole cluster is no such thing: nodes may come,
 * and it waits. Nor is a model that no node has yet. null: it may fit.
 */
export function judgeFit(state: StateView, levels: Levels, spec: JobSpec): SpecProblem | null {
  if (spec.gpusPerWorker === 0) return null;
  const present = modelsPresent(state);
  const accepted = spec.gpuModels.length === 0 ? present : spec.gpuModels.filter((model) => present.includes(model));
  // Nor is a profile that no GPU is divided into yet.
  const models = accepted.filter((model) => spec.gpuProfile === null || profilesPresent(state, [model]).includes(spec.gpuProfile));
  let nearest: Misfit | null = null;
  for (const model of models) {
    const misfit = findMisfit(state, levels, spec, model);
    if (misfit === null) return null;
    if (nearest === null || misfit.room > nearest.room) nearest = misfit;
  }
  return nearest === null ? null : { field: nearest.field, message: nearest.message };
}

/** Whether one domain of the level could hold the whole gang if nobody else were there and all of it sound. */
export function couldHold(state: StateView, levels: Levels, spec: JobSpec, level: string): boolean {
  const { gpusPerWorker, gpuShareMilli, gpuProfile, segments, spread, workers } = spec;
  if (gpusPerWorker === 0) return true;
  const present = modelsPresent(state);
  const models = spec.gpuModels.length === 0 ? present : spec.gpuModels.filter((model) => present.includes(model));
  const depth = levels.indexOf(level);
  return models.some((model) => {
    const rooms = emptyRoom(state, levels, { model, gpusPerWorker, gpuShareMilli, gpuProfile, segments, spread });
    return (rooms[depth]?.workers ?? 0) >= workers;
  });
}

function findMisfit(state: StateView, levels: Levels, spec: JobSpec, model: string): Misfit | null {
  const { gpusPerWorker, gpuShareMilli, gpuProfile, segments, spread, workers } = spec;
  const oneSlot = { model, gpusPerWorker: 1, gpuShareMilli: null, gpuProfile, segments: [], spread: null };
  const nodeGpus = gpuProfile === null ? largestNode(state, model) : (emptyRoom(state, levels, oneSlot).at(-1)?.raw ?? 0);
  if (gpusPerWorker > nodeGpus) {
    const message = `a worker of ${gpusPerWorker} GPUs cannot fit a node: the largest node has ${nodeGpus} ${model}${nodeGpus === 0 ? ' that are not divided into slots (spec.gpuProfile)' : ''}`;
    return { field: 'spec.gpusPerWorker', message, room: nodeGpus };
  }
  if (segments.length === 0 && spec.constraints.length === 0) return null;
  const rooms = emptyRoom(state, levels, { model, gpusPerWorker, gpuShareMilli, gpuProfile, segments, spread });
  const size = describeSize(spec);
  for (const [index, { level, workers: wanted }] of segments.entries()) {
    const room = rooms[levels.indexOf(level)]?.raw ?? 0;
    if (wanted <= room) continue;
    const message = `segment of ${wanted} workers of ${size} cannot fit a ${level}: the largest ${level} has room for ${room}`;
    return { field: `spec.placement.segments[${index}].workers`, message, room };
  }
  for (const [index, { level, mode }] of spec.constraints.entries()) {
    const room = rooms[levels.indexOf(level)]?.workers ?? 0;
    if (mode !== 'required' || workers <= room) continue;
    const divided = segments.length === 0 && spread === null ? '' : ' as segments and spread divide it';
    const message = `${workers} workers of ${size} cannot fit one ${level}: the largest ${level} has room for ${room}${divided}`;
    return { field: `spec.placement.constraints[${index}].level`, message, room };
  }
  return null;
}

function describeSize({ gpusPerWorker, gpuShareMilli, gpuProfile }: JobSpec): string {
  if (gpuProfile !== null) return `a ${gpuProfile} slot`;
  return gpuShareMilli === null ? `${gpusPerWorker} GPUs` : `${gpuShareMilli}m of a GPU`;
}
