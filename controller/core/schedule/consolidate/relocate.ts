import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { specNow } from '../../jobs/size.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView } from '../../state/view.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { findPlacement } from '../gang/findPlacement.ts';
import type { GangRequest, Spot } from '../gang/gangRequest.ts';
import { requestOf } from '../requestOf.ts';
import { keepPlace } from './keepPlace.ts';

/** A job that would leave its place for another one. */
export interface Mover {
  readonly job: JobView;
  readonly holds: readonly Hold[];
  /** What the move costs each of its GPUs. */
  readonly costMs: number;
}

/** Where the gang will be. */
export interface Hole {
  readonly spots: readonly Spot[];
  readonly request: GangRequest;
  readonly model: string;
  readonly nowMs: number;
}

export type Relocation =
  | { readonly ok: true; readonly places: ReadonlyMap<JobUid, Placement> }
  /** This one would lose its place. */
  | { readonly ok: false; readonly failed: JobUid };

/**
 * A new place for every mover at once, with the gang in the hole that they leave. Each place is free today, or is the
 * mover's own: nobody waits for another mover, so the place can be kept from now on. The hardest to place come first;
 * this is one try, not a search, and may miss a way. A trial: nothing is changed.
 */
export function relocate(cluster: ClusterRoom, movers: readonly Mover[], hole: Hole): Relocation {
  const { capacity } = cluster.room;
  const mark = capacity.mark();
  fillHole(capacity, hole);
  const places = new Map<JobUid, Placement>();
  let failed: JobUid | null = null;
  for (const mover of [...movers].sort(hardestFirst)) {
    const placement = findRoom(cluster, mover, hole);
    if (placement === null || keepPlace(cluster, mover.job, { placement, model: hole.model }) === null) {
      failed = mover.job.uid;
      break;
    }
    places.set(mover.job.uid, placement);
  }
  capacity.rollback(mark);
  return failed === null ? { ok: true, places } : { ok: false, failed };
}

/** What the mover asks when it moves: as it did at first, and inside the smallest domain that it is in now, so that it is not torn apart. */
export function requestToMove(cluster: ClusterRoom, job: JobView, nowMs: number): GangRequest {
  const attempt = currentAttempt(job);
  const request = requestOf(cluster, { ...job, spec: specNow(job) }, attempt?.model ?? null, nowMs);
  const { topology } = cluster.room.capacity;
  const nodes = (attempt?.placement ?? []).flatMap(({ node }) => topology.numberOf.get(node) ?? []);
  let depth = topology.depth;
  while (depth > 0 && new Set(nodes.map((node) => domainAbove(topology, node, depth))).size > 1) depth -= 1;
  return { ...request, requiredDepth: Math.max(request.requiredDepth, depth) };
}

/** The gang's processors and memory, and whatever is free of its GPUs. */
function fillHole(capacity: Capacity, { spots, request, model }: Hole): void {
  const { cpuMilli, memoryBytes } = request.groups[0]?.shape ?? { cpuMilli: 0, memoryBytes: 0 };
  const exclusive = request.exclusiveDepth === null ? {} : { exclusiveDepth: request.exclusiveDepth };
  for (const { node } of spots) capacity.take({ owner: null, node, gpus: [], gpuMilli: 0, cpuMilli, memoryBytes, ...exclusive });
  closeGpus(capacity, spots, model);
}

function closeGpus(capacity: Capacity, spots: readonly Spot[], model: string): void {
  const number = capacity.modelNumber(model);
  for (const { node, gpus } of spots) {
    for (const gpu of gpus) {
      const gpuMilli = capacity.freeMilli(node, gpu, number);
      if (gpuMilli > 0) capacity.take({ owner: null, node, gpus: [gpu], gpuMilli, cpuMilli: 0, memoryBytes: 0 });
    }
  }
}

function findRoom(cluster: ClusterRoom, mover: Mover, hole: Hole): Placement | null {
  const { room } = cluster;
  const { capacity } = room;
  const mark = capacity.mark();
  for (const hold of mover.holds) capacity.give(hold);
  const left = new Set(mover.holds.map((hold) => hold.node));
  closeGpus(
    capacity,
    hole.spots.filter((spot) => left.has(spot.node)),
    hole.model,
  );
  const spots = findPlacement(room, requestToMove(cluster, mover.job, hole.nowMs))?.[0];
  capacity.rollback(mark);
  return spots?.map((spot) => ({ node: capacity.nameOf(spot.node), gpus: spot.gpus })) ?? null;
}

function hardestFirst(left: Mover, right: Mover): number {
  const [one, other] = [specNow(left.job), specNow(right.job)];
  return other.gpusPerWorker - one.gpusPerWorker || other.workers - one.workers || (left.job.uid < right.job.uid ? -1 : 1);
}
