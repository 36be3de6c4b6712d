import type { JobSpec, LevelConstraint } from '#vocabulary/job.ts';
import type { Asker } from '../reservations/mayRun.ts';
import { mayCross } from '../jobs/crossing.ts';
import type { JobView } from '../state/view.ts';
import type { Room } from './capacity/room.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { shapeOf } from './clusterRoom.ts';
import type { Closed, Use } from './closedNodes.ts';
import { bothAllow } from './closedMask.ts';
import { placesToKeep } from './swap.ts';
import type { AllowedNodes, GangRequest, WorkerGroup } from './gang/gangRequest.ts';

/** What a request is made of besides the model. A job that does not exist yet has no phase: it begins to wait now. */
export interface Wish {
  readonly spec: JobSpec;
  readonly phase?: JobView['phase'];
  readonly attempts?: JobView['attempts'];
}

/** What the scheduler must know of a job to ask for its place. */
export type Wisher = Wish & Asker;

/** A job's wishes with levels as depths and names as numbers, on nodes that no reservation keeps from it. */
export function requestOf(cluster: ClusterRoom, job: Wisher, model: string | null, nowMs: number, use: Use = 'claim'): GangRequest {
  return requestWithin(cluster, job, model, { nowMs, closed: cluster.closed.closedTo(job, nowMs, use) });
}

/** The same with what is closed to it given. */
export function requestWithin(
  cluster: ClusterRoom,
  job: Wish,
  model: string | null,
  { nowMs, closed }: { readonly nowMs: number; readonly closed: Closed | null },
): GangRequest {
  const { room, levels } = cluster;
  const { spec } = job;
  const depthOf = (level: string): number => levels.indexOf(level) + 1;
  let requiredDepth = mustStayInside(cluster, spec) ? 1 : 0;
  for (const constraint of spec.constraints) {
    if (isInsisted(cluster, constraint, job, nowMs)) requiredDepth = Math.max(requiredDepth, depthOf(constraint.level));
  }
  return {
    groups: [{ workers: spec.workers, shape: shapeOf(spec, model), segments: segmentsOf(spec, depthOf) }],
    requiredDepth,
    spread: spec.spread === null ? null : { depth: depthOf(spec.spread.level), max: spec.spread.max },
    exclusiveDepth: spec.exclusive === null ? null : depthOf(spec.exclusive),
    packing: spec.packing,
    allowed: bothAllow(allowedNodes(room, spec), closed),
  };
}

/** Others have what links there are between domains of the outermost level. */
export const mustStayInside = ({ isCrossingFull }: ClusterRoom, spec: JobSpec): boolean => isCrossingFull && mayCross(spec);

function segmentsOf({ segments }: JobSpec, depthOf: (level: string) => number): WorkerGroup['segments'] {
  if (segments.length === 0) return noSegments;
  return segments.map(({ level, workers }) => ({ depth: depthOf(level), workers })).sort((left, right) => left.depth - right.depth);
}

const noSegments: WorkerGroup['segments'] = [];

/**
 * A required level, or a preferred one whose patience is not over. A preferred level without one is what placement prefers anyway, and
 * nobody waits for one that could never hold the gang.
 * A gang that a fault stopped has had its patience: it goes on at once, as near to where it was as there is room.
 */
function isInsisted(cluster: Pick<ClusterRoom, 'couldHold'>, { level, mode, waitMs }: LevelConstraint, job: Wish, nowMs: number): boolean {
  if (mode === 'required') return true;
  const isPatient = nowMs < waitsSinceMs(job.phase, nowMs) + (waitMs ?? 0) && placesToKeep(job).length === 0;
  return isPatient && cluster.couldHold(job.spec, level);
}

const waitsSinceMs = (phase: Wish['phase'], nowMs: number): number => (phase?.kind === 'pending' ? phase.sinceMs : nowMs);

/** When a job that waits for a preferred level widens its wish; null: it does not wait for one. */
export function widensAtMs(cluster: Pick<ClusterRoom, 'couldHold'>, { spec, phase, attempts }: Wish, nowMs: number): number | null {
  if (spec.constraints.length === 0 || placesToKeep({ attempts }).length > 0) return null;
  const sinceMs = waitsSinceMs(phase, nowMs);
  let soonest: number | null = null;
  for (const { level, mode, waitMs } of spec.constraints) {
    const atMs = sinceMs + (waitMs ?? 0);
    if (mode !== 'preferred' || atMs <= nowMs || !cluster.couldHold(spec, level)) continue;
    soonest = Math.min(atMs, soonest ?? atMs);
  }
  return soonest;
}

/** Jobs with the same key have a place, or none, at the same time. */
export function wishesKey(cluster: ClusterRoom, job: Wisher, nowMs: number): string {
  const { constraints } = job.spec;
  // Nearly all the same in every pass, so it is printed once a spec.
  let key = lastingWishes(job.spec) + cluster.closed.keyOf(job, nowMs);
  if (mustStayInside(cluster, job.spec)) key += ' inside';
  for (const constraint of constraints) if (isInsisted(cluster, constraint, job, nowMs)) key += ` ${constraint.level}`;
  return key;
}

const printed = new WeakMap<JobSpec, string>();

function lastingWishes(spec: JobSpec): string {
  const known = printed.get(spec);
  if (known !== undefined) return known;
  const { workers, gpusPerWorker, gpuShareMilli, gpuProfile, gpuModels, segments, spread, exclusive, nodeSelector, avoidNodes, template } =
    spec;
  const { cpuMilli, memoryBytes } = template;
  const wishes = [segments, spread, exclusive, nodeSelector, avoidNodes, cpuMilli, memoryBytes];
  const text = JSON.stringify([workers, gpusPerWorker, gpuShareMilli, gpuProfile, gpuModels, ...wishes]);
  printed.set(spec, text);
  return text;
}

function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  for (const _key in record) return false;
  return true;
}

function allowedNodes(room: Room, spec: Pick<JobSpec, 'nodeSelector' | 'avoidNodes'>): AllowedNodes | null {
  if (spec.avoidNodes.length === 0 && isEmpty(spec.nodeSelector)) return null;
  const labels = Object.entries(spec.nodeSelector).sort(([left], [right]) => (left < right ? -1 : 1));
  const avoided = [...spec.avoidNodes].sort();
  const { capacity } = room;
  const mask = new Uint8Array(capacity.nodes);
  for (let node = 0; node < capacity.nodes; node += 1) {
    const facts = capacity.factsOf(node);
    mask[node] = labels.every(([name, value]) => facts.labels[name] === value) && !avoided.includes(facts.name) ? 1 : 0;
  }
  return { key: JSON.stringify([labels, avoided]), mask };
}
