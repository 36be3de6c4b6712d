import type { Hold, NodeFacts } from '#core/schedule/capacity/capacity.ts';
import { Capacity } from '#core/schedule/capacity/capacity.ts';
import { Room } from '#core/schedule/capacity/room.ts';
import type { WorkerShape } from '#core/schedule/capacity/shape.ts';
import { holdsOf } from '#core/schedule/gang/findPlacement.ts';
import type { GangSpots } from '#core/schedule/gang/gangRequest.ts';
import type { Evictable } from '#core/schedule/victims/chooseVictims.ts';
import { jobUid, nodeName } from '#vocabulary/ids.ts';

/** Of every node here; two GPUs share an NVLink domain. */
export const gpusPerNode = 8;

const model = 'H100';

/** Depth of racks in the rooms of `buildRoom`. */
export const rackDepth = 3;

/** Nodes in one zone, in blocks of 16 racks; the scheduling engine alone, without a state. */
export function buildRoom(nodes: number, nodesPerRack = 16): Room {
  return new Room(
    Capacity.of(
      Array.from({ length: nodes }, (_, index) => factsOf(index, Math.floor(index / nodesPerRack))),
      rackDepth + 1,
    ),
  );
}

function factsOf(index: number, rack: number): NodeFacts {
  const padded = (value: number): string => String(value).padStart(5, '0');
  return {
    name: nodeName(`n${padded(index)}`),
    path: ['z1', `b${padded(rack >> 4)}`, `r${padded(rack)}`],
    open: true,
    cpuMilli: null,
    memoryBytes: null,
    labels: {},
    gpus: Array.from({ length: gpusPerNode }, (_, gpu) => ({ index: gpu, model, nvlinkDomain: gpu >> 1, healthy: true })),
  };
}

export const partOf = (gpus: number, gpuMilli: number): WorkerShape => ({ model, gpus, gpuMilli, cpuMilli: 0, memoryBytes: 0 });

/** Takes what a placement of one group says; the answer is to be given back. */
export function takeSpots(room: Room, shape: WorkerShape, spots: GangSpots): readonly Hold[] {
  const holds = holdsOf(null, shape, spots[0] ?? []);
  for (const hold of holds) room.capacity.take(hold);
  return holds;
}

export function giveBack(room: Room, holds: readonly Hold[]): void {
  for (const hold of holds) room.capacity.give(hold);
}

/** One worker's whole GPUs on a node. */
export function holdOn(node: number, gpus: readonly number[], owner: string | null = null): Hold {
  return { owner: owner === null ? null : jobUid(owner), node, gpus, gpuMilli: 1000, cpuMilli: 0, memoryBytes: 0 };
}

/** Fills every node with jobs of `gpus` GPUs each; what each costs differs. */
export function fillWithJobs(room: Room, gpus: number): readonly Evictable[] {
  const jobs: Evictable[] = [];
  for (let node = 0; node < room.capacity.nodes; node += 1) {
    for (let first = 0; first < gpusPerNode; first += gpus) {
      const hold = holdOn(
        node,
        Array.from({ length: gpus }, (_, at) => first + at),
        `uid-${String(jobs.length).padStart(6, '0')}`,
      );
      room.capacity.take(hold);
      // A prime step through an hour: costs without order, nearly all unlike.
      const ranMs = (jobs.length * 7919) % 3_600_000;
      if (hold.owner !== null) jobs.push({ job: hold.owner, holds: [hold], cost: gpus * 1000 * (ranMs + 60_000), priority: 20 });
    }
  }
  return jobs;
}
