import type { Thrift } from '../capacity/addedLeftover.ts';
import { isPart, leastPieceGpu } from '../capacity/addedLeftover.ts';
import type { Room } from '../capacity/room.ts';
import { chooseGpus } from './chooseGpus.ts';
import type { GangRequest, Spot } from './gangRequest.ts';

/**
 * The place of a single worker that asks for a part of a GPU, or for CPU or memory beside its GPUs. Any node that holds it
 * is one node and one rack, so what decides is what others, who ask for what was asked of late, could still use afterwards:
 * where it leaves least idle for good, then best-fit, then the first. Workers of whole GPUs alone stay best-fit.
 *
 * Figures: the inflation experiment of `leftover.ts` through this code (`bench/fgd.ts`, policies `live` and, without it,
 * `live-tight`; ten lists, seed 42), unallocated GPUs at a demand of 130 %: 3.8 % on `default`, and 13.2 by fewest fitting
 * workers alone; 3.0..7.6 on the ten lists, and 8.0..18.1. FGD as published: 4.6, and 3.5..8.6.
 *
 * null: it fits nowhere. undefined: the request is of another kind, or nothing is known of what others ask.
 */
export function findThrift(room: Room, request: GangRequest, counts: () => Int32Array): Thrift | null | undefined {
  const [group] = request.groups;
  if (request.groups.length !== 1 || group?.workers !== 1) return undefined;
  const leftover = room.leftover(group.shape);
  return leftover === null ? undefined : leftover.best(counts());
}

export function thriftySpot(room: Room, { groups }: GangRequest, { node }: Thrift): Spot {
  const [group] = groups;
  if (group === undefined) return { node, gpus: [] };
  const { capacity, outlook } = room;
  if (outlook !== null && isPart(group.shape)) return { node, gpus: [leastPieceGpu(capacity, node, group.shape, outlook)] };
  return { node, gpus: chooseGpus(capacity, node, group.shape, 1)[0] ?? [] };
}

/** Less than 0: the left one leaves less. Places that are not there come last. */
export function compareThrift(left: Thrift | null | undefined, right: Thrift | null | undefined): number {
  const [one, other] = [left ?? nowhere, right ?? nowhere];
  return one.addedMilli !== other.addedMilli ? compare(one.addedMilli, other.addedMilli) : compare(one.idleMilli, other.idleMilli);
}

const nowhere = { addedMilli: Number.POSITIVE_INFINITY, idleMilli: Number.POSITIVE_INFINITY };

const compare = (left: number, right: number): number => (left === right ? 0 : left < right ? -1 : 1);
