import type { JobSpec, Mesh, MeshAxis } from '#vocabulary/job.ts';

/**
 * What travels along each axis of a mesh in one step. The classes are tensor >> expert > context > data > pipeline: what the
 * frameworks take for granted when they number ranks. Their bytes say which axis is heavier and by how much in a usual
 * large model; who wants seconds that hold gives his own (`spec.traffic`).
 */
export type Collective =
  /** Each GPU hands in so many bytes and gets the sum: it sends 2(n-1)/n times as much round a ring. */
  | 'all-reduce'
  /** Each GPU hands out so many bytes, the n-th part of them to each member, itself included. */
  | 'all-to-all'
  /** Each GPU sends so many bytes to the next one, and the last to the first. */
  | 'ring'
  /** Each GPU sends so many bytes to the next one, and as many back to the one before. */
  | 'point-to-point';

export interface AxisTraffic {
  readonly axis: MeshAxis;
  readonly size: number;
  readonly collective: Collective;
  /** A step and GPU. */
  readonly bytes: number;
}

const gibibyte = 2 ** 30;

/**
 * Tensor: four all-reduces of the activations a layer, forward and backward (Megatron-LM, arXiv:1909.08053): 64k tokens of 8,192 values of
 * two bytes through ten layers are 40 GiB. Expert: dispatch and combine, forward and backward; the others by their place in the order.
 */
const classes: Readonly<Record<MeshAxis, { readonly collective: Collective; readonly bytes: number }>> = {
  tensor: { collective: 'all-reduce', bytes: 64 * gibibyte },
  expert: { collective: 'all-to-all', bytes: 16 * gibibyte },
  context: { collective: 'ring', bytes: 8 * gibibyte },
  data: { collective: 'all-reduce', bytes: 4 * gibibyte },
  pipeline: { collective: 'point-to-point', bytes: gibibyte },
};

/** Of the axes in this order. */
export function trafficOf(mesh: Mesh, given: JobSpec['traffic']): readonly AxisTraffic[] {
  return mesh.map(({ axis, size }) => ({ axis, size, collective: classes[axis].collective, bytes: given[axis] ?? classes[axis].bytes }));
}

/** What one GPU sends in a step. */
export function sentBytes({ collective, bytes, size }: AxisTraffic): number {
  switch (collective) {
    case 'all-reduce':
      return (bytes * 2 * (size - 1)) / size;
    case 'all-to-all':
      return (bytes * (size - 1)) / size;
    case 'ring':
      return bytes;
    case 'point-to-point':
      return size > 2 ? 2 * bytes : bytes;
  }
}
