import type { Mesh } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';

/** The mesh with its axes in this order; what the order does not name stays first. */
export function inOrder(mesh: Mesh, order: MeshRecord['order']): Mesh {
  return mesh.toSorted((left, right) => order.indexOf(left.axis) - order.indexOf(right.axis));
}
