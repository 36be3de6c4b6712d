import type { Placement } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { JobView } from '../../state/view.ts';
import { devicesAt, placeAt } from '../capacity/devices.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import type { GangRequest, Spot } from '../gang/gangRequest.ts';
import { inOrder } from './inOrder.ts';
import { linkSpeedsOf } from './linkSpeeds.ts';
import type { MeshChoice, MeshWish } from './placeMesh.ts';
import { judgeMesh, orderMesh, placeMesh } from './placeMesh.ts';
import { trafficOf } from './traffic.ts';

/** Where the workers stand, in order of their numbers, and how the mesh lies there; a job without a mesh has none. */
export interface Laid {
  readonly placement: Placement;
  readonly mesh?: MeshRecord;
}

type Candidate = Pick<JobView, 'spec' | 'attempts'>;

/**
 * What the mesh makes of a place that was found:
 *   choose   of all places that hold the gang (`request`), of which this is one
 *   order    this place, its workers numbered anew
 *   keep     this place as it is numbered
 */
export type Freedom = { readonly kind: 'choose'; readonly request: GangRequest } | { readonly kind: 'order' | 'keep' };

export function layMesh(
  cluster: ClusterRoom,
  job: Candidate,
  found: { readonly spots: readonly Spot[]; readonly model: string | null },
  freedom: Freedom,
): Laid {
  const { capacity } = cluster.room;
  const wish = wishOf(cluster, job, found.model);
  const gpus = found.spots.reduce((sum, spot) => sum + spot.gpus.length, 0);
  // Of another size than its mesh says there is no mesh to lay.
  if (wish === null || wish.axes.reduce((product, { size }) => product * size, 1) !== gpus)
    return { placement: found.spots.map((spot) => placeAt(capacity, spot)) };
  const { spots, record } = choose(cluster, wish, found.spots, freedom);
  return { placement: spots.map((spot) => placeAt(capacity, spot)), mesh: record };
}

/** The same for a place as the log has it. */
export function layMeshAt(
  cluster: ClusterRoom,
  job: Candidate,
  at: { readonly placement: Placement; readonly model: string | null },
  freedom: Extract<Freedom, { kind: 'order' | 'keep' }>,
): Laid {
  if (job.spec.mesh.length === 0) return { placement: at.placement };
  const { capacity } = cluster.room;
  const spots = at.placement.flatMap((place): readonly Spot[] => {
    const node = capacity.topology.numberOf.get(place.node);
    return node === undefined ? [] : [{ node, gpus: devicesAt(capacity, node, place) }];
  });
  return spots.length < at.placement.length ? { placement: at.placement } : layMesh(cluster, job, { spots, model: at.model }, freedom);
}

function choose({ room }: ClusterRoom, wish: MeshWish, spots: readonly Spot[], freedom: Freedom): MeshChoice {
  switch (freedom.kind) {
    case 'choose':
      return placeMesh(room, wish, freedom.request, spots);
    case 'order':
      return orderMesh(room, wish, spots);
    case 'keep':
      return judgeMesh(room, wish, spots);
  }
}

/** null: it has no mesh. */
function wishOf({ levels, bandwidths }: ClusterRoom, { spec, attempts }: Candidate, model: string | null): MeshWish | null {
  if (spec.mesh.length === 0) return null;
  // What a rank saved under its number must be what a later attempt's rank of that number wants: the order stays. Attempts without one had the spec's.
  const last = attempts.at(-1);
  const isOrderFixed =
    last !== undefined || spec.axisOrder.length > 0 || spec.segments.length > 0 || Object.keys(spec.traffic).length === 0;
  return {
    axes: trafficOf(inOrder(spec.mesh, last?.mesh?.order ?? []), spec.traffic),
    segments: spec.segments.map(({ level, workers }) => ({ depth: levels.indexOf(level) + 1, workers })),
    isOrderFixed,
    speeds: linkSpeedsOf(levels, bandwidths, model),
  };
}
