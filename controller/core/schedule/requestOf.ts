import type { JobSpec } from '#vocabulary/job.ts';
import type { JobView } from '../state/view.ts';
import type { Room } from './capacity/room.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { shapeOf } from './clusterRoom.ts';
import type { AllowedNodes, GangRequest } from './gang/gangRequest.ts';

/** What a request is made of besides the model. A job that does not exist yet has no phase: it begins to wait now. */
export interface Wish {
  readonly spec: JobSpec;
  readonly phase?: JobView['phase'];
}

/** A job's wishes with levels as depths and names as numbers. */
export function requestOf({ room, levels }: ClusterRoom, job: Wish, model: string | null, nowMs: number): GangRequest {
  const { spec } = job;
  const depthOf = (level: string): number => levels.indexOf(level) + 1;
  const segments = spec.segments
    .map(({ level, workers }) => ({ depth: depthOf(level), workers }))
    .sort((left, right) => left.depth - right.depth);
  return {
    groups: [{ workers: spec.workers, shape: shapeOf(spec, model), segments }],
    requiredDepth: Math.max(0, ...insistedLevels(job, nowMs).map(depthOf)),
    spread: spec.spread === null ? null : { depth: depthOf(spec.spread.level), max: spec.spread.max },
    exclusiveDepth: spec.exclusive === null ? null : depthOf(spec.exclusive),
    packing: spec.packing,
    allowed: allowedNodes(room, spec),
  };
}

/** Required levels, and preferred ones whose patience is not over. A preferred level without one is what placement prefers anyway. */
function insistedLevels({ spec, phase }: Wish, nowMs: number): readonly string[] {
  const sinceMs = waitsSinceMs(phase, nowMs);
  return spec.constraints.filter(({ mode, waitMs }) => mode === 'required' || nowMs < sinceMs + (waitMs ?? 0)).map(({ level }) => level);
}

const waitsSinceMs = (phase: Wish['phase'], nowMs: number): number => (phase?.kind === 'pending' ? phase.sinceMs : nowMs);

/** When a job that waits for a preferred level widens its wish; null: it does not wait for one. */
export function widensAtMs({ spec, phase }: Wish, nowMs: number): number | null {
  const sinceMs = waitsSinceMs(phase, nowMs);
  let soonest: number | null = null;
  for (const { mode, waitMs } of spec.constraints) {
    const atMs = sinceMs + (waitMs ?? 0);
    if (mode === 'preferred' && atMs > nowMs && (soonest === null || atMs < soonest)) soonest = atMs;
  }
  return soonest;
}

/** Jobs with the same key have a place, or none, at the same time. */
export function wishesKey(job: Wish, nowMs: number): string {
  const { spec } = job;
  const { workers, gpusPerWorker, gpuShareMilli, gpuProfile, gpuModels, segments, spread, exclusive } = spec;
  const { nodeSelector, avoidNodes, template } = spec;
  const { cpuMilli, memoryBytes } = template;
  const wishes = [insistedLevels(job, nowMs), segments, spread, exclusive, nodeSelector, avoidNodes, cpuMilli, memoryBytes];
  return JSON.stringify([workers, gpusPerWorker, gpuShareMilli, gpuProfile, gpuModels, ...wishes]);
}

function allowedNodes(room: Room, spec: Pick<JobSpec, 'nodeSelector' | 'avoidNodes'>): AllowedNodes | null {
  const labels = Object.entries(spec.nodeSelector).sort(([left], [right]) => (left < right ? -1 : 1));
  const avoided = [...spec.avoidNodes].sort();
  if (labels.length === 0 && avoided.length === 0) return null;
  const { capacity } = room;
  const mask = new Uint8Array(capacity.nodes);
  for (let node = 0; node < capacity.nodes; node += 1) {
    const facts = capacity.factsOf(node);
    mask[node] = labels.every(([name, value]) => facts.labels[name] === value) && !avoided.includes(facts.name) ? 1 : 0;
  }
  return { key: JSON.stringify([labels, avoided]), mask };
}
