import type { Mesh } from '#vocabulary/job.ts';
import type { WorkerGroup } from '../gang/gangRequest.ts';

/**
 * Sizes of runs of workers that belong together, smallest first, each dividing the next and the last dividing the gang: the
 * groups of the fastest axis, those of the two fastest, and so on, and the user's segments among them. A mesh of
 * pipeline 16 x data 2 x expert 64 on workers of 8 GPUs has blocks of 8 workers (an expert group) and of 16 (a stage).
 */
export function blocksOf(gang: Pick<WorkerGroup, 'workers' | 'segments'>, mesh: Mesh, gpusPerWorker: number): readonly number[] {
  const { workers, segments } = gang;
  // The user's come first: what does not go with them is no block.
  let blocks = segments.map((segment) => segment.workers).filter((size) => size > 1 && size < workers);
  blocks = [...new Set(blocks)];
  for (const size of axisBlocks(mesh, gpusPerWorker)) {
    const nests = blocks.every((block) => size % block === 0 || block % size === 0);
    if (size > 1 && size < workers && workers % size === 0 && nests && !blocks.includes(size)) blocks.push(size);
  }
  return blocks.sort((left, right) => left - right);
}

function axisBlocks(mesh: Mesh, gpusPerWorker: number): readonly number[] {
  const blocks: number[] = [];
  let gpus = 1;
  for (const { size } of mesh.toReversed()) {
    gpus *= size;
    if (gpus % gpusPerWorker === 0) blocks.push(gpus / gpusPerWorker);
  }
  return blocks;
}

/** With all sizes between them that nest: equal parts of a block, or several whole ones. */
export function withParts(blocks: readonly number[], workers: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 2; size < workers; size += 1) {
    if (workers % size === 0 && blocks.every((block) => block % size === 0 || size % block === 0)) sizes.push(size);
  }
  return sizes;
}
