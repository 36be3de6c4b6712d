import type { JobUid } from '#vocabulary/ids.ts';

/**
 * What is kept of a node for waiting jobs, by job uid: whole GPUs that they were promised, whoever holds them still. Of a
 * GPU that several were promised the first one is the keeper, so that it counts once.
 */
export interface Promised {
  readonly job: JobUid;
  readonly gpus: readonly number[];
}

/** Of a node that nobody was promised. One for all, as almost every node is one. */
export const noPromises: readonly Promised[] = [];

interface Kept {
  readonly promises: readonly Promised[];
}

/** Undefined: nobody was promised the GPU. */
export function keeperOf(node: Kept, gpu: number): JobUid | undefined {
  for (const { job, gpus } of node.promises) if (gpus.includes(gpu)) return job;
  return undefined;
}

/** The job is promised these GPUs now, and no others of the node; undefined: none. */
export function withPromise(promises: readonly Promised[], job: JobUid, gpus: readonly number[] | undefined): readonly Promised[] {
  const others = promises.filter((promise) => promise.job !== job);
  if (gpus !== undefined) return [...others, { job, gpus }].sort((left, right) => (left.job < right.job ? -1 : 1));
  return others.length === 0 ? noPromises : others;
}
