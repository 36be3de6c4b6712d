import type { Room } from '#core/schedule/capacity/room.ts';
import { wholeGpus } from '#core/schedule/capacity/shape.ts';
import { findPlacement } from '#core/schedule/gang/findPlacement.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { linkSpeedsOf } from '#core/schedule/mesh/linkSpeeds.ts';
import type { MeshChoice } from '#core/schedule/mesh/placeMesh.ts';
import { placeMesh } from '#core/schedule/mesh/placeMesh.ts';
import type { AxisTraffic } from '#core/schedule/mesh/traffic.ts';
import { gpusPerNode, levels, model } from './fragmentedRoom.ts';

/** All of a decision: whether and where the gang fits, and how its mesh lies there. */
export function decideMesh(room: Room, axes: readonly AxisTraffic[], bandwidths: Readonly<Record<string, number>> = {}): MeshChoice {
  const gpus = axes.reduce((product, { size }) => product * size, 1);
  const request = anywhere([{ workers: gpus / gpusPerNode, shape: wholeGpus(model, gpusPerNode), segments: [] }]);
  const packed = findPlacement(room, request)?.[0];
  if (packed === undefined) throw new Error(`no room for ${gpus} GPUs`);
  const wish = { axes, isOrderFixed: true, segments: [], speeds: linkSpeedsOf(levels, bandwidths, model) };
  return placeMesh(room, wish, request, packed);
}
