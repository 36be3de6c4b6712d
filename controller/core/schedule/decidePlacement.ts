import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import type { JobView, StateView } from '../state/view.ts';
import type { Room } from './capacity/room.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { shapeOf } from './clusterRoom.ts';
import { withEmptyDomains } from './gang/exclusive.ts';
import { findPlacement, unitsOf } from './gang/findPlacement.ts';
import type { GangRequest, Spot } from './gang/gangRequest.ts';
import { placeAround } from './gang/keepSpots.ts';
import type { Wish } from './requestOf.ts';
import { requestOf, wishesKey } from './requestOf.ts';

export type PlacementDecision =
  | { readonly ok: true; readonly placement: Placement; readonly model: string | null }
  | { readonly ok: false; readonly wait: WaitReason };

/** What the decision needs of a job: also one that does not exist yet (`shoal apply --dry-run=server`). */
export type Candidate = Pick<JobView, 'user' | 'spec' | 'attempts'> & Wish;

/** How the cluster looks to a job: what others were promised is out of its reach (reserve/backfill.ts). */
export interface Look {
  readonly nowMs: number;
  /** Makes the room show it. */
  show(): void;
  /** Shapes that found no place in it, with the reason, by `wishesKey`. */
  findFailed(key: string): WaitReason | undefined;
  noteFailed(key: string, wait: WaitReason): void;
}

/** Where the job would go now, or why it waits. Pure: the same for the pass and for a plan. */
export function decidePlacement(state: StateView, cluster: ClusterRoom, job: Candidate, look: Look): PlacementDecision {
  const { spec } = job;
  const { nowMs } = look;
  const keep = placesToKeep(job);
  const key = wishesKey(job, nowMs);
  const remembered = keep.length === 0 ? look.findFailed(key) : undefined;
  if (remembered !== undefined) return { ok: false, wait: remembered };
  look.show();
  const models = modelsFor(cluster.room, job, keep);
  let wait: WaitReason = { kind: 'NoSuchGpuModel', wanted: spec.gpuModels, present: cluster.room.capacity.models };
  let limited = false;
  for (const model of models) {
    const broken = findBrokenLimit(state, job, model);
    if (broken !== null) {
      [wait, limited] = [broken, true];
      continue;
    }
    const request = requestOf(cluster, job, model, nowMs);
    const spots = findSpots(cluster.room, request, soundSpots(cluster.room, spec, model, keep));
    if (spots !== null) return { ok: true, model, placement: spots.map((spot) => placeOf(cluster.room, spot)) };
    wait = describeShortage(spec, cluster, request);
  }
  // A quota is this queue's and user's own; a shortage of GPUs holds for every job of the shape in this pass.
  if (!limited && keep.length === 0) look.noteFailed(key, wait);
  return { ok: false, wait };
}

function findSpots(room: Room, request: GangRequest, kept: readonly (Spot | null)[]): readonly Spot[] | null {
  return (kept.some((spot) => spot !== null) ? placeAround(room, request, kept) : null) ?? findPlacement(room, request)?.[0] ?? null;
}

const placeOf = (room: Room, spot: Spot): Placement[number] => ({ node: room.capacity.nameOf(spot.node), gpus: spot.gpus });

/** Kept places are of one model: on another one nobody could stay, so it comes first. */
export function modelsFor(
  room: Room,
  job: { readonly spec: JobSpec; readonly attempts?: Candidate['attempts'] },
  keep: Placement,
): readonly (string | null)[] {
  const { spec } = job;
  if (spec.gpusPerWorker === 0) return [null];
  const { models } = room.capacity;
  const wanted = spec.gpuModels.length === 0 ? models : spec.gpuModels.filter((model) => models.includes(model));
  const before = keep.length === 0 ? null : (job.attempts?.at(-1)?.model ?? null);
  return before !== null && wanted.includes(before) ? [before, ...wanted.filter((model) => model !== before)] : wanted;
}

/** After a fault of the machine the sound workers keep their places; in all other cases the gang is placed anew. */
function placesToKeep(job: Candidate): Placement {
  const last = job.attempts.at(-1);
  const reason = last?.end?.reasons[0];
  return last !== undefined && (reason === 'NodeFailure' || reason === 'GpuFailure') ? last.placement : [];
}

/** A place is sound when its node takes work and the very GPUs are of the model, healthy and free. */
function soundSpots(room: Room, spec: JobSpec, model: string | null, keep: Placement): readonly (Spot | null)[] {
  const { capacity } = room;
  const number = model === null ? -1 : capacity.modelNumber(model);
  const { gpuMilli } = shapeOf(spec, model);
  return keep.map((place) => {
    const node = capacity.topology.numberOf.get(place.node);
    if (node === undefined || !capacity.isOpen(node)) return null;
    return place.gpus.every((gpu) => capacity.freeMilli(node, gpu, number) >= gpuMilli) ? { node, gpus: place.gpus } : null;
  });
}

function describeShortage(spec: JobSpec, { room, levels }: ClusterRoom, request: GangRequest): WaitReason {
  const wanted = { workers: spec.workers, gpusPerWorker: spec.gpusPerWorker };
  const [group] = request.groups;
  // Whole segments count, and as many as a spread allows: what the gang could really have.
  const units = group === undefined ? null : unitsOf(room, withEmptyDomains(room.capacity, request), group);
  const workersIn = (domain: number, level: number): number => (units?.counts[domain] ?? 0) * (units?.size[level] ?? 1);
  const all = workersIn(0, 0);
  const depth = request.requiredDepth;
  // A level that is only preferred, and still insisted on, is told like a required one.
  if (depth > 0 && all >= spec.workers) {
    const { levelStart } = room.capacity.topology;
    let best = 0;
    for (let domain = levelStart[depth] ?? 0; domain < (levelStart[depth + 1] ?? 0); domain += 1)
      best = Math.max(best, workersIn(domain, depth));
    return { kind: 'LevelTooSmall', wanted, level: levels[depth - 1] ?? '', best };
  }
  const model = group?.shape.model ?? null;
  return { kind: 'InsufficientGpus', wanted, free: model === null ? 0 : room.freeGpus(model), slots: all, model };
}
