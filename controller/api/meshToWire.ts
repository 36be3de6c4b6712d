import type { MessageInitShape } from '@bufbuild/protobuf';
import { inOrder } from '#core/schedule/mesh/inOrder.ts';
import { trafficOf } from '#core/schedule/mesh/traffic.ts';
import type { StateView } from '#core/state/view.ts';
import type { MeshGroupSchema, MeshPlanSchema } from '#gen/shoal/v1/training_job_pb.js';
import type { JobSpec, Mesh, MeshAxis, Placement } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import { totalMicros } from '#vocabulary/meshRecord.ts';

type MeshPlan = MessageInitShape<typeof MeshPlanSchema>;
type MeshGroup = MessageInitShape<typeof MeshGroupSchema>;

/** A mesh on its places. */
export interface LaidMesh {
  readonly spec: Pick<JobSpec, 'mesh' | 'traffic' | 'gpusPerWorker'>;
  /** In worker order. */
  readonly placement: Placement;
  readonly mesh: MeshRecord;
}

/** A record belongs to one placement, and watches ask again and again. */
const known = new WeakMap<MeshRecord, MeshPlan>();

/** What people are told of it: costs by axis, and where stages and expert groups are. O(GPUs) the first time. */
export function meshToWire(laid: LaidMesh, nodes: StateView['nodes']): MeshPlan {
  const found = known.get(laid.mesh);
  if (found !== undefined) return found;
  const plan = planOf(laid, nodes);
  known.set(laid.mesh, plan);
  return plan;
}

function planOf({ spec, placement, mesh: record }: LaidMesh, nodes: StateView['nodes']): MeshPlan {
  const mesh = inOrder(spec.mesh, record.order);
  const axes = trafficOf(mesh, spec.traffic);
  const ground: Ground = { mesh, gpus: placement.length * spec.gpusPerWorker, gpusPerWorker: spec.gpusPerWorker };
  const paths = placement.map(({ node }) => nodes.get(node)?.inventory.path ?? []);
  return {
    order: [...record.order],
    seconds: totalMicros(record) / 1e6,
    randomSeconds: record.randomMicros / 1e6,
    packedSeconds: record.packedMicros / 1e6,
    axes: record.costs.map(({ axis, micros, bound }) => {
      const traffic = axes.find((each) => each.axis === axis);
      return {
        axis,
        size: traffic?.size ?? 1,
        collective: traffic?.collective ?? '',
        bytes: BigInt(traffic?.bytes ?? 0),
        seconds: micros / 1e6,
        boundBy: bound,
        outerCrossings: countCrossings(ground, axis, paths),
      };
    }),
    stages: groupsOf(ground, 'pipeline', 'along').map((workers) => groupToWire(workers, placement, paths)),
    expertGroups: groupsOf(ground, 'expert', 'across').map((workers) => groupToWire(workers, placement, paths)),
  };
}

interface Ground {
  readonly mesh: Mesh;
  readonly gpus: number;
  readonly gpusPerWorker: number;
}

/** How far one step along the axis is in GPU numbers, and how many there are; null: the mesh has no such axis, or one of size 1. */
function strideOf({ mesh }: Ground, axis: MeshAxis): { readonly stride: number; readonly size: number } | null {
  let stride = 1;
  for (const each of mesh.toReversed()) {
    if (each.axis === axis) return each.size > 1 ? { stride, size: each.size } : null;
    stride *= each.size;
  }
  return null;
}

/** Workers by their coordinate `along` the axis, or by all their other coordinates (`across`); sets that are alike are told once. */
function groupsOf(ground: Ground, axis: MeshAxis, by: 'along' | 'across'): readonly (readonly number[])[] {
  const found = strideOf(ground, axis);
  if (found === null) return [];
  const { stride, size } = found;
  const groups = new Map<number, number[]>();
  for (let gpu = 0; gpu < ground.gpus; gpu += 1) {
    const coordinate = Math.floor(gpu / stride) % size;
    const key = by === 'along' ? coordinate : gpu - coordinate * stride;
    const workers = groups.get(key) ?? [];
    if (workers.length === 0) groups.set(key, workers);
    const worker = Math.floor(gpu / ground.gpusPerWorker);
    if (workers.at(-1) !== worker) workers.push(worker);
  }
  const sets = new Map([...groups.values()].map((workers) => [workers.join(), workers]));
  return [...sets.values()];
}

function groupToWire(workers: readonly number[], placement: Placement, paths: readonly (readonly string[])[]): MeshGroup {
  const names = new Set(workers.map((worker) => placement[worker]?.node ?? ''));
  const counts = new Map<string, number>();
  for (const worker of workers) {
    const path = paths[worker]?.join('/') ?? '';
    const name = names.size === 1 || path === '' ? (placement[worker]?.node ?? '') : path;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const domains = [...counts].sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, count]) => ({ name, workers: count }));
  return { workers: [...workers], domains };
}

/** Neighbours along the axis of which some GPUs are in different domains of the outermost level. */
function countCrossings(ground: Ground, axis: MeshAxis, paths: readonly (readonly string[])[]): number {
  const found = strideOf(ground, axis);
  if (found === null) return 0;
  const { stride, size } = found;
  const outer = (gpu: number): string | undefined => paths[Math.floor(gpu / ground.gpusPerWorker)]?.[0];
  const crossing = new Set<number>();
  for (let gpu = 0; gpu < ground.gpus; gpu += 1) {
    const coordinate = Math.floor(gpu / stride) % size;
    if (coordinate < size - 1 && outer(gpu) !== outer(gpu + stride)) crossing.add(coordinate);
  }
  return crossing.size;
}
