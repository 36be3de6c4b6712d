import type { Hold, NodeFacts } from '#core/schedule/capacity/capacity.ts';
import { Capacity } from '#core/schedule/capacity/capacity.ts';
import { Room } from '#core/schedule/capacity/room.ts';
import { wholeGpus } from '#core/schedule/capacity/shape.ts';
import { findPlacement, holdsOf } from '#core/schedule/gang/findPlacement.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { createRandom } from '#sim/random.ts';
import { nodeName } from '#vocabulary/ids.ts';

export const model = 'H800';
export const gpusPerNode = 8;
export const levels = ['zone', 'block', 'rack', 'node'];
const nodesPerRack = 16;
const racksPerBlock = 8;
const blocksPerZone = 8;

/** Nodes of 8 GPUs with one NVLink domain: 16 a rack, 8 racks a block, 8 blocks a zone. */
function emptyRoom(nodes: number): Room {
  return new Room(
    Capacity.of(
      Array.from({ length: nodes }, (_, index) => factsOf(index)),
      levels.length,
    ),
  );
}

function factsOf(index: number): NodeFacts {
  const padded = (value: number): string => String(value).padStart(4, '0');
  const rack = Math.floor(index / nodesPerRack);
  const block = Math.floor(rack / racksPerBlock);
  return {
    name: nodeName(`n${padded(index)}`),
    path: [`z${padded(Math.floor(block / blocksPerZone))}`, `b${padded(block)}`, `r${padded(rack)}`],
    open: true,
    cpuMilli: null,
    memoryBytes: null,
    labels: {},
    gpus: Array.from({ length: gpusPerNode }, (_, gpu) => ({ index: gpu, model, nvlinkDomain: 0, healthy: true })),
  };
}

/**
 * A cluster in the middle of its life: filled by the scheduler's own packing with gangs of 1 to 32 nodes, small ones more often, then gangs end
 * by chance until half of it is free, and as many come and go again three times over.
 */
export function fragmentedRoom(nodes: number, seed: number): Room {
  const room = emptyRoom(nodes);
  const random = createRandom(seed);
  let gangs: (readonly Hold[])[] = [];
  let held = 0;
  for (let life = 0; life < 4; life += 1) {
    for (let misses = 0; misses < 20; ) {
      const workers = 2 ** random.below(6);
      const shape = wholeGpus(model, gpusPerNode);
      const spots = findPlacement(room, anywhere([{ workers, shape, segments: [] }]))?.[0];
      if (spots === undefined) misses += 1;
      else {
        const holds = holdsOf(null, shape, spots);
        for (const hold of holds) room.capacity.take(hold);
        gangs.push(holds);
        held += workers;
      }
    }
    while (held > nodes / 2) {
      const [gone = []] = gangs.splice(random.below(gangs.length), 1);
      for (const hold of gone) room.capacity.give(hold);
      held -= gone.length;
    }
    gangs = gangs.filter((gang) => gang.length > 0);
  }
  return room;
}
