import { deviceModel, gpuOfSlot, isSlotModel } from '#vocabulary/gpuProfile.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import type { JobView, StateView } from '../state/view.ts';
import { modelsPresent, profilesPresent } from '../jobs/emptyRoom.ts';
import { nodesToAvoid, spotsWithout, withoutNodes } from './avoidance.ts';
import { devicesAt, placeAt } from './capacity/devices.ts';
import type { Room } from './capacity/room.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { shapeOf } from './clusterRoom.ts';
import { keptAtSize } from './elastic/keptGroups.ts';
import { withEmptyDomains } from './gang/exclusive.ts';
import { findPlacement, unitsOf } from './gang/findPlacement.ts';
import type { GangRequest, Spot } from './gang/gangRequest.ts';
import { placeAround } from './gang/keepSpots.ts';
import { compareThrift, findThrift } from './gang/thrift.ts';
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
  /** Of the policy. */
  readonly avoidFailedMs: number;
  /** As the state's, with the quota that others were promised. */
  readonly usage: Pick<StateView['usage'], 'get'>;
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
  const avoided = nodesToAvoid(job, nowMs, look.avoidFailedMs);
  const models = thriftiestFirst(cluster, job, modelsFor(cluster.room, job, keep), nowMs);
  let wait = describeMissing(state, spec);
  let limited = false;
  for (const model of models) {
    const broken = findBrokenLimit({ queues: state.queues, usage: look.usage }, job, model);
    if (broken !== null) {
      [wait, limited] = [broken, true];
      continue;
    }
    const request = requestOf(cluster, job, model, nowMs);
    const kept = keptAtSize(soundSpots(cluster.room, spec, model, keep), spec);
    const spots = findSpots(cluster.room, request, kept, avoided);
    if (spots !== null) return { ok: true, model, placement: spots.map((spot) => placeAt(cluster.room.capacity, spot)) };
    wait = describeShortage(spec, cluster, request);
  }
  // A quota is this queue's and user's own; a shortage of GPUs holds for every job of the shape in this pass.
  if (!limited && keep.length === 0) look.noteFailed(key, wait);
  return { ok: false, wait };
}

/** A single worker that takes any model goes where it leaves least idle for good; then, and in all other cases, by name. */
function thriftiestFirst(cluster: ClusterRoom, job: Wish, models: readonly (string | null)[], nowMs: number): readonly (string | null)[] {
  const { gpuModels, workers, exclusive } = job.spec;
  if (models.length < 2 || gpuModels.length > 0 || workers > 1 || exclusive !== null) return models;
  const costs = new Map(
    models.map((model) => {
      const request = requestOf(cluster, job, model, nowMs);
      const [group] = request.groups;
      return [
        model,
        group === undefined ? undefined : findThrift(cluster.room, request, () => unitsOf(cluster.room, request, group).counts),
      ];
    }),
  );
  return models.toSorted((left, right) => compareThrift(costs.get(left), costs.get(right)));
}

/** Nodes to avoid are a wish: it takes them rather than wait. */
function findSpots(
  room: Room,
  request: GangRequest,
  kept: readonly (Spot | null)[],
  avoided: readonly NodeName[] = [],
): readonly Spot[] | null {
  const elsewhere = avoided.length === 0 ? null : findSpots(room, withoutNodes(room, request, avoided), spotsWithout(room, kept, avoided));
  if (elsewhere !== null) return elsewhere;
  return (kept.some((spot) => spot !== null) ? placeAround(room, request, kept) : null) ?? findPlacement(room, request)?.[0] ?? null;
}

/** Why no model of the cluster is one that it accepts. */
function describeMissing(state: StateView, { gpuModels, gpuProfile }: JobSpec): WaitReason {
  const present = modelsPresent(state);
  if (gpuProfile === null || (gpuModels.length > 0 && !gpuModels.some((model) => present.includes(model))))
    return { kind: 'NoSuchGpuModel', wanted: gpuModels, present };
  return { kind: 'NoSuchGpuProfile', wanted: gpuProfile, present: profilesPresent(state, gpuModels) };
}

/** Kept places are of one model: on another one nobody could stay, so it comes first. */
export function modelsFor(
  room: Room,
  job: { readonly spec: JobSpec; readonly attempts?: Candidate['attempts'] },
  keep: Placement,
): readonly (string | null)[] {
  const { spec } = job;
  if (spec.gpusPerWorker === 0) return [null];
  const wanted = wantedModels(room.capacity.models, spec);
  const before = keep.length === 0 ? null : (job.attempts?.at(-1)?.model ?? null);
  return before !== null && wanted.includes(before) ? [before, ...wanted.filter((model) => model !== before)] : wanted;
}

/** Of the GPUs that it accepts those that the cluster has: whole, or divided into slots as it wants them. */
function wantedModels(devices: readonly string[], { gpuModels, gpuProfile }: JobSpec): readonly string[] {
  if (gpuModels.length > 0) return gpuModels.filter((model) => devices.includes(deviceModel(model, gpuProfile)));
  return gpuProfile === null
    ? devices.filter((model) => !isSlotModel(model))
    : devices.flatMap((model) => gpuOfSlot(model, gpuProfile) ?? []);
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
  const shape = shapeOf(spec, model);
  const number = shape.model === null ? -1 : capacity.modelNumber(shape.model);
  return keep.map((place) => {
    const node = capacity.topology.numberOf.get(place.node);
    if (node === undefined || !capacity.isOpen(node)) return null;
    const gpus = devicesAt(capacity, node, place);
    const isSound = gpus.length === place.gpus.length && gpus.every((gpu) => capacity.freeMilli(node, gpu, number) >= shape.gpuMilli);
    return isSound ? { node, gpus } : null;
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
