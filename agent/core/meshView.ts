/** Where a rank stands in its job's mesh. GPUs are numbered over the whole job in rank order. */
import type { Launch } from '#vocabulary/assignment.ts';
import { meshCoordinates, type MeshAxis } from '#vocabulary/job.ts';

/** GPUs of one rank; a job without GPUs counts one place a rank. */
function gpusPerRank({ gpusPerWorker, processes }: Launch): number {
  return Math.max(1, Math.floor(gpusPerWorker / Math.max(1, processes)));
}

/** Coordinates of the rank's first GPU, by axis. */
export function coordinatesOf(launch: Launch, rank: number): ReadonlyMap<MeshAxis, number> {
  return meshCoordinates(launch.mesh, rank * gpusPerRank(launch));
}

/**
 * For each axis, the ranks (itself included, ascending) along it through the rank's first GPU: its process group.
 * Bounded by the axis sizes, where a list of all ranks would be as long as the job is large.
 */
export function peersOf(launch: Launch, rank: number): ReadonlyMap<MeshAxis, readonly number[]> {
  const share = gpusPerRank(launch);
  const first = rank * share;
  const peers = new Map<MeshAxis, readonly number[]>();
  let stride = launch.mesh.reduce((product, { size }) => product * size, 1);
  for (const { axis, size } of launch.mesh) {
    stride /= size;
    const origin = first - (Math.floor(first / stride) % size) * stride;
    const ranks = Array.from({ length: size }, (_, at) => Math.floor((origin + at * stride) / share));
    peers.set(axis, [...new Set(ranks)]);
  }
  return peers;
}
