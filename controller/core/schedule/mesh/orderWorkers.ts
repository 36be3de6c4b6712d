import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { WorkerGroup } from '../gang/gangRequest.ts';
import { arrangePlaces } from './arrangePlaces.ts';
import type { Ground } from './ground.ts';
import type { Arranged } from './improveOrder.ts';
import { improveOrder, isBetter } from './improveOrder.ts';
import { predictCost } from './predictCost.ts';
import type { AxisTraffic } from './traffic.ts';

/** Places of a gang and what decides about the order of its workers. */
export interface Gang {
  readonly topology: Topology;
  /** The user's. */
  readonly segments: WorkerGroup['segments'];
  readonly blocks: readonly number[];
}

export interface Candidate extends Arranged {
  readonly ground: Ground;
  readonly axes: readonly AxisTraffic[];
}

/** Numbered by blocks where that is better and the user's segments stay whole. */
export function orderByBlocks<C extends Candidate>({ topology, segments, blocks }: Gang, candidate: C): C {
  const { ground, axes } = candidate;
  const order = arrangePlaces(topology, ground.nodeOf, blocks);
  if (!keepsSegments(topology, segments, ground.nodeOf, order)) return candidate;
  const prediction = predictCost(ground, axes, order);
  return isBetter(prediction, candidate.prediction) ? { ...candidate, order, prediction } : candidate;
}

/** Improved by exchanges that keep the user's segments whole. */
export function exchange<C extends Candidate>({ topology, segments, blocks }: Gang, candidate: C): C {
  const maySwap = swapRule(topology, segments, candidate.ground);
  return {
    ...candidate,
    ...improveOrder(candidate.ground, candidate.axes, candidate, { blocks, maySwap, mayShuffle: segments.length === 0 }),
  };
}

function keepsSegments(topology: Topology, segments: WorkerGroup['segments'], nodeOf: Int32Array, order: Int32Array): boolean {
  return segments.every(({ depth, workers }) =>
    order.every((place, worker) => {
      const first = order[worker - (worker % workers)] ?? 0;
      return domainAbove(topology, nodeOf[place] ?? 0, depth) === domainAbove(topology, nodeOf[first] ?? 0, depth);
    }),
  );
}

/** Two places may be exchanged when no segment ends up in two domains: they are inside one domain of every segment's level. */
function swapRule(topology: Topology, segments: WorkerGroup['segments'], { nodeOf }: Ground): (left: number, right: number) => boolean {
  const innermost = Math.max(0, ...segments.map(({ depth }) => depth));
  if (innermost === 0) return () => true;
  return (left, right) => domainAbove(topology, nodeOf[left] ?? 0, innermost) === domainAbove(topology, nodeOf[right] ?? 0, innermost);
}
