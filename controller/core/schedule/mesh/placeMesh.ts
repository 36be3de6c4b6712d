import type { MeshAxis } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { Room } from '../capacity/room.ts';
import type { GangRequest, Spot, WorkerGroup } from '../gang/gangRequest.ts';
import { blocksOf } from './blocks.ts';
import type { Ground } from './ground.ts';
import { groundOf } from './ground.ts';
import { isBetter } from './improveOrder.ts';
import type { LinkSpeeds } from './linkSpeeds.ts';
import { meshCandidates } from './meshCandidates.ts';
import { meshOrders } from './meshOrders.ts';
import type { Candidate, Gang } from './orderWorkers.ts';
import { exchange, orderByBlocks } from './orderWorkers.ts';
import type { Prediction } from './predictCost.ts';
import { predictCost } from './predictCost.ts';
import { randomSeconds } from './randomSeconds.ts';
import type { AxisTraffic } from './traffic.ts';

/**
 * A mesh on a cluster: which of the places that hold the gang, in which order of ranks, and which axis varies fastest.
 *
 * 1. The gang has a place already, by topology packing that knows no mesh. It is the first candidate, so nobody waits for what follows.
 * 2. Segments are derived from the mesh (deriveSegments.ts); each list that fits gives more candidates, the tightest domains first.
 * 3. In each of them the workers are numbered so that blocks stay together (arrangePlaces.ts), and the cost is predicted (predictCost.ts).
 * 4. The cheapest is improved by exchanges (improveOrder.ts).
 * 5. Where the user says how many bytes travel, other orders of the axes are tried too. By the classes the customary order is the right one.
 *
 * Bounded: the larger the gang, the fewer candidates and exchanges are tried.
 */
export interface MeshWish {
  /** Slowest first: in the customary order, or in one that must be kept. */
  readonly axes: readonly AxisTraffic[];
  readonly isOrderFixed: boolean;
  /** The user's, outermost first. */
  readonly segments: WorkerGroup['segments'];
  readonly speeds: LinkSpeeds;
}

export interface MeshChoice {
  /** In worker order. */
  readonly spots: readonly Spot[];
  readonly record: MeshRecord;
}

/** `packed`: where the gang goes without a mesh, in worker order. */
export function placeMesh(room: Room, wish: MeshWish, request: GangRequest, packed: readonly Spot[]): MeshChoice {
  const [group] = request.groups;
  const plain = placedAt(room, wish, packed);
  if (group === undefined || (wish.isOrderFixed && isFlat(room, plain.ground))) return choiceOf(plain, plain.prediction);
  let best = plain;
  for (const axes of wish.isOrderFixed ? [wish.axes] : meshOrders(wish.axes, group.workers)) {
    const found = searchPlaces(room, { ...wish, axes }, { request, group, packed });
    if (isBetter(found.prediction, axes === wish.axes ? best.prediction : mustSave(best.prediction))) best = found;
  }
  return choiceOf(best, plain.prediction);
}

/** The same places, their workers numbered anew: of a place that was kept for the gang. */
export function orderMesh(room: Room, wish: MeshWish, spots: readonly Spot[]): MeshChoice {
  const plain = placedAt(room, wish, spots);
  const gang = gangOf(room, wish, spots);
  return choiceOf(exchange(gang, orderByBlocks(gang, plain)), plain.prediction);
}

/** The same places, in the order of their workers: what was kept after a fault is not numbered anew. */
export function judgeMesh(room: Room, wish: MeshWish, spots: readonly Spot[]): MeshChoice {
  const plain = placedAt(room, wish, spots);
  return choiceOf(plain, plain.prediction);
}

interface Placed extends Candidate {
  readonly spots: readonly Spot[];
}

/** Workers that fill nodes are in one innermost domain of these: no order is better, and no place. */
function isFlat({ capacity }: Room, { layers, places, gpus }: Ground): boolean {
  const [only] = layers;
  if (only === undefined) return true;
  const isOneRail = only.rail?.of.every((rail) => rail === only.rail?.of[0]) ?? true;
  return layers.length === 1 && !only.isByGpu && only.gpusIn.length === places && capacity.gpusMost < 2 * gpus && isOneRail;
}

function placedAt(room: Room, { axes, speeds }: Pick<MeshWish, 'axes' | 'speeds'>, spots: readonly Spot[]): Placed {
  const ground = groundOf(room.capacity, spots, speeds);
  const order = Int32Array.from(spots.keys());
  return { spots, ground, axes, order, prediction: predictCost(ground, axes, order) };
}

function gangOf({ capacity }: Room, { axes, segments }: MeshWish, spots: readonly Spot[]): Gang {
  const blocks = blocksOf({ workers: spots.length, segments }, axes, spots[0]?.gpus.length ?? 1);
  return { topology: capacity.topology, segments, blocks };
}

/** Another order of the axes, or another place than the packed one, must save so much of the time. */
const gainMin = 0.01;

const mustSave = (than: Prediction): Prediction => ({ ...than, seconds: than.seconds * (1 - gainMin) });

/** Candidates of a gang: each costs some hundredths of a millisecond for ten workers, one for hundreds, five for two thousand. */
const candidatesFor = (workers: number): number => Math.min(24, Math.max(6, Math.round(200 / workers)));

function searchPlaces(
  room: Room,
  wish: MeshWish,
  { request, group, packed }: { readonly request: GangRequest; readonly group: WorkerGroup; readonly packed: readonly Spot[] },
): Placed {
  const gang = gangOf(room, wish, packed);
  let best = orderByBlocks(gang, placedAt(room, wish, packed));
  const most = candidatesFor(group.workers);
  let looked = 0;
  for (const spots of meshCandidates(room, request, group, { blocks: gang.blocks, packed, most })) {
    if (looked === most) break;
    looked += 1;
    const found = orderByBlocks(gang, placedAt(room, wish, spots));
    if (isBetter(found.prediction, best.spots === packed ? mustSave(best.prediction) : best.prediction)) best = found;
  }
  return exchange(gang, best);
}

function choiceOf({ spots, ground, order, axes, prediction }: Placed, packed: Prediction): MeshChoice {
  return {
    spots: Array.from(order, (place) => spots[place]).flatMap((spot) => spot ?? []),
    record: {
      order: axes.map(({ axis }): MeshAxis => axis),
      costs: prediction.axes.map(({ axis, seconds, bound }) => ({ axis, micros: microsOf(seconds), bound })),
      randomMicros: microsOf(randomSeconds(ground, axes)),
      packedMicros: microsOf(packed.seconds),
    },
  };
}

const microsOf = (seconds: number): number => Math.round(seconds * 1e6);
