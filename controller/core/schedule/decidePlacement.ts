import { deviceModel, gpuOfSlot, isSlotModel } from '#vocabulary/gpuProfile.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import type { JobView, StateView } from '../state/view.ts';
import { modelsPresent, profilesPresent } from '../jobs/emptyRoom.ts';
import { nodesToAvoid, withoutNodes } from './avoidance.ts';
import { placeAt } from './capacity/devices.ts';
import type { Room } from './capacity/room.ts';
import { wholeGpus } from './capacity/shape.ts';
import type { Closed } from './closedNodes.ts';
import { bothAllow } from './closedMask.ts';
import type { ClusterRoom } from './clusterRoom.ts';
import { keepAtSize } from './elastic/keptGroups.ts';
import { withEmptyDomains } from './gang/exclusive.ts';
import { findPlacement, fits, unitsOf } from './gang/findPlacement.ts';
import type { GangRequest, Spot } from './gang/gangRequest.ts';
import { compareThrift, findThrift } from './gang/thrift.ts';
import type { Freedom } from './mesh/layMesh.ts';
import { layMesh } from './mesh/layMesh.ts';
import type { Wisher } from './requestOf.ts';
import { mustStayInside, requestOf, requestWithin, wishesKey } from './requestOf.ts';
import { placesToKeep } from './swap.ts';
import { borrow, lendable, mayBorrow, sparesFor } from './spares/borrow.ts';
import type { Recall, RecallPlan } from './spares/swapWithSpares.ts';
import { swapWithSpares } from './spares/swapWithSpares.ts';

export type PlacementDecision =
  | {
      readonly ok: true;
      readonly placement: Placement;
      readonly model: string | null;
      /** Absent, when the job has none. */
      readonly mesh?: MeshRecord;
      /** On a spare node, until that is needed; absent: not. */
      readonly isLent?: true;
    }
  /** `recall`: it fits when these have left, to whom spare nodes are lent. */
  | { readonly ok: false; readonly wait: WaitReason; readonly recall?: RecallPlan };

/** What the decision needs of a job: also one that does not exist yet (`shoal apply --dry-run=server`). */
export type Candidate = Wisher & Partial<Pick<JobView, 'uid'>>;

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
  const isBorrower = state.spares.size > 0 && mayBorrow(spec);
  const key = `${wishesKey(cluster, job, nowMs)}${isBorrower ? ' borrows' : ''}`;
  const remembered = keep.length === 0 ? look.findFailed(key) : undefined;
  if (remembered !== undefined) return { ok: false, wait: remembered };
  look.show();
  const avoided = nodesToAvoid(job, nowMs, look.avoidFailedMs);
  const models = thriftiestFirst(cluster, job, modelsFor(cluster.room, job, keep), nowMs);
  let wait = describeMissing(state, spec);
  let limited = false;
  const short: Short[] = [];
  for (const model of models) {
    const broken = findBrokenLimit({ queues: state.queues, usage: look.usage }, job, model);
    if (broken !== null) {
      [wait, limited] = [broken, true];
      continue;
    }
    const request = requestOf(cluster, job, model, nowMs, 'start');
    const gang = { uid: job.uid, request, keep: keepAtSize(cluster.room, request, spec, keep) };
    const found = findOwn(state, cluster, job, { gang, avoided }) ?? findSpots(state, cluster.room, gang, avoided);
    if (found.kind === 'recall') return recalled(state, cluster, job, { model, recall: found.recall });
    if (found.kind === 'now') return placedAt(cluster, job, model, found);
    wait = describeClosed(cluster, job, model, nowMs) ?? describeShortage(state, cluster, job, { request, nowMs });
    short.push({ model, request });
  }
  const lent = isBorrower ? lend(state, cluster, job, short) : null;
  if (lent !== null) return lent;
  // A quota is this queue's and user's own; a shortage of GPUs holds for every job of the shape in this pass.
  if (!limited && keep.length === 0) look.noteFailed(key, wait);
  return { ok: false, wait };
}

interface Short {
  readonly model: string | null;
  readonly request: GangRequest;
}

function placedAt(
  cluster: ClusterRoom,
  job: Candidate,
  model: string | null,
  { spots, freedom }: Spots,
): Extract<PlacementDecision, { ok: true }> {
  return { ok: true, model, ...layMesh(cluster, job, { spots, model }, freedom) };
}

/** `broken`: a gang that a fault stopped may use spares also when nobody of it could stay. */
function findAnew(state: StateView, room: Room, request: GangRequest, broken: Candidate['uid']): Found {
  const spots = findPlacement(room, request)?.[0];
  if (spots !== undefined) return { kind: 'now', spots, freedom: { kind: 'choose', request } };
  if (broken === undefined || state.spares.size === 0) return { kind: 'none' };
  const spared = room.capacity.withOpen(sparesFor(state, room, broken), () => findPlacement(room, request)?.[0]);
  return spared === undefined ? { kind: 'none' } : { kind: 'now', spots: spared, freedom: { kind: 'order' } };
}

/** What finds no other place may use a spare node until that is needed. */
function lend(state: StateView, cluster: ClusterRoom, job: Candidate, short: readonly Short[]): PlacementDecision | null {
  const nodes = lendable(state, cluster.room);
  for (const { model, request } of short) {
    const spots = borrow(cluster.room, request, nodes);
    if (spots !== null) return { ...placedAt(cluster, job, model, { spots, freedom: { kind: 'order' } }), isLent: true };
  }
  return null;
}

function recalled(
  state: StateView,
  { room }: ClusterRoom,
  { spec }: Candidate,
  { model, recall }: { readonly model: string | null; readonly recall: Recall },
): PlacementDecision {
  const wanted = { workers: spec.workers, gpusPerWorker: spec.gpusPerWorker };
  const victims = recall.victims.map((uid) => state.jobs.get(uid)?.name ?? uid).sort();
  const placement = recall.spots.map((spot) => placeAt(room.capacity, spot));
  return { ok: false, wait: { kind: 'WaitingForVictims', wanted, victims }, recall: { victims: recall.victims, placement, model } };
}

/** A single worker that takes any model goes where it leaves least idle for good; then, and in all other cases, by name. */
function thriftiestFirst(cluster: ClusterRoom, job: Wisher, models: readonly (string | null)[], nowMs: number): readonly (string | null)[] {
  const { gpuModels, workers, exclusive } = job.spec;
  if (models.length < 2 || gpuModels.length > 0 || workers > 1 || exclusive !== null) return models;
  const costs = new Map(
    models.map((model) => {
      const request = requestOf(cluster, job, model, nowMs, 'start');
      const [group] = request.groups;
      return [
        model,
        group === undefined ? undefined : findThrift(cluster.room, request, () => unitsOf(cluster.room, request, group).counts),
      ];
    }),
  );
  return models.toSorted((left, right) => compareThrift(costs.get(left), costs.get(right)));
}

/** `freedom`: what the job's mesh may make of it. */
type Found = (Spots & { readonly kind: 'now' }) | { readonly kind: 'recall'; readonly recall: Recall } | { readonly kind: 'none' };

interface Spots {
  readonly spots: readonly Spot[];
  readonly freedom: Freedom;
}

type Gang = Parameters<typeof swapWithSpares>[2];

/** Nodes to avoid are a wish: it takes them rather than wait. */
function findSpots(state: StateView, room: Room, job: Gang, avoided: readonly NodeName[]): Found {
  if (avoided.length > 0) {
    const elsewhere = findSpots(state, room, { ...job, request: withoutNodes(room, job.request, avoided) }, []);
    if (elsewhere.kind !== 'none') return elsewhere;
  }
  if (job.keep.length === 0) return findAnew(state, room, job.request, undefined);
  const swap = swapWithSpares(state, room, job);
  if (swap.kind === 'now') return { ...swap, freedom: { kind: 'keep' } };
  return swap.kind === 'recall' ? swap : findAnew(state, room, job.request, job.uid);
}

/** What is reserved for it now comes before all else; after a fault the sound workers stay where they are. null: nothing is, or it does not fit there. */
function findOwn(
  state: StateView,
  cluster: ClusterRoom,
  job: Wisher,
  { gang, avoided }: { readonly gang: Gang; readonly avoided: readonly NodeName[] },
): Found | null {
  const own = gang.keep.length > 0 ? null : cluster.closed.ownOf(job);
  if (own === null) return null;
  const request = { ...gang.request, allowed: bothAllow(gang.request.allowed, own) };
  const found = findSpots(state, cluster.room, { ...gang, request }, avoided);
  return found.kind === 'now' ? found : null;
}

/** Of many reservations the others are told together. */
const triedAloneMax = 8;

/** There is room, and it is reserved: by which, of several the one that alone is in the way and is over first; null: it would not fit anyway. */
function describeClosed(cluster: ClusterRoom, job: Wisher, model: string | null, nowMs: number): WaitReason | null {
  const closed = cluster.closed.closedTo(job, nowMs, 'start');
  const wouldFit = (without: Closed | null): boolean => fits(cluster.room, requestWithin(cluster, job, model, { nowMs, closed: without }));
  if (closed === null || !wouldFit(null)) return null;
  const soonest = closed.by.toSorted((left, right) => left.occurrence.endMs - right.occurrence.endMs).slice(0, triedAloneMax);
  const alone = soonest.find(({ name }) => wouldFit(cluster.closed.without(closed, name)));
  const by = alone === undefined ? closed.by : [alone];
  return {
    kind: 'Reservation',
    wanted: { workers: job.spec.workers, gpusPerWorker: job.spec.gpusPerWorker },
    reservations: by.map(({ name }) => name),
    nodes: [...new Set(by.flatMap(({ nodes }) => nodes))].sort(),
    fromMs: Math.min(...by.map(({ occurrence }) => occurrence.startMs)),
    untilMs: Math.max(...by.map(({ occurrence }) => occurrence.endMs)),
    isUnderWay: by.some(({ occurrence }) => occurrence.startMs <= nowMs),
    reason: alone?.spec.reason ?? '',
  };
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

function describeShortage(
  state: StateView,
  cluster: ClusterRoom,
  job: Wisher,
  { request, nowMs }: { readonly request: GangRequest; readonly nowMs: number },
): WaitReason {
  const { room, levels } = cluster;
  const { spec } = job;
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
    const crossingFull = depth === 1 && mustStayInside(cluster, spec) ? { crossingFull: true } : {};
    return { kind: 'LevelTooSmall', wanted, level: levels[depth - 1] ?? '', best, ...crossingFull };
  }
  const model = group?.shape.model ?? null;
  const spare = model === null || state.spares.size === 0 ? 0 : spareGpus(state, room, model);
  const closed = cluster.closed.closedTo(job, nowMs, 'start');
  const free = model === null ? 0 : (room.slots(wholeGpus(model, 1), { allowed: closed, units: null })[0] ?? 0);
  return { kind: 'InsufficientGpus', wanted, free, slots: all, model, ...(spare === 0 ? {} : { spare }) };
}

/** Wholly free ones of the model. */
function spareGpus(state: StateView, { capacity }: Room, model: string): number {
  const number = capacity.modelNumber(model);
  let gpus = 0;
  for (const name of state.spares) {
    const node = capacity.topology.numberOf.get(name);
    if (node !== undefined) gpus += capacity.wholeFree(node, number);
  }
  return gpus;
}
