import type { Room } from '#core/schedule/capacity/room.ts';
import type { WorkerShape } from '#core/schedule/capacity/shape.ts';
import { findPlacement } from '#core/schedule/gang/findPlacement.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { createRandom } from '#sim/random.ts';
import { buildRoom, giveBack, gpusPerNode, holdOn, partOf, takeSpots } from './cluster.ts';
import type { Samples } from './samples.ts';
import { describeSamples, sample, timed } from './samples.ts';

const sizes = [1_250, 5_000, 12_500];

/** One decision, taken and given back, on clusters that are 90 % full: growth by nodes. */
export function measureDecide(): void {
  console.log(
    '  find a place and take it, after one GPU changed hands elsewhere; 6 % of the nodes are empty, 8 % half full, the others full.',
  );
  console.log('  Aims: one worker p99 < 0.2 ms, 256 workers x 8 GPUs p99 < 10 ms. Nobody publishes such figures.');
  console.log(`  ${['nodes', 'GPUs'].map((name) => name.padStart(8)).join('')}`);
  for (const nodes of sizes) {
    const room = buildRoom(nodes);
    fillMost(room);
    const one = decideMany(room, { workers: 1, shape: partOf(1, 1000), count: 20_000 });
    const gang = decideMany(room, { workers: 256, shape: partOf(8, 1000), count: 2_000 });
    const size = [nodes, nodes * gpusPerNode].map((value) => String(value).padStart(8)).join('');
    console.log(`  ${size}  one worker     ${describeSamples(one.samples)}`);
    console.log(`  ${size}  256 x 8 GPUs   ${describeSamples(gang.samples)} ${gang.note}`);
  }
}

export function decideMany(
  room: Room,
  { workers, shape, count }: { readonly workers: number; readonly shape: WorkerShape; readonly count: number },
): { readonly samples: Samples; readonly note: string } {
  const { capacity } = room;
  const request = anywhere([{ workers, shape, segments: [] }]);
  const random = createRandom(7);
  let placed = 0;
  const samples = sample(count, () => {
    const node = random.below(capacity.nodes);
    const hold = capacity.holdsOf(node)[0];
    if (hold !== undefined) {
      capacity.give(hold);
      capacity.take(holdOn(node, hold.gpus, 'uid-next'));
    }
    let taken: ReturnType<typeof takeSpots> = [];
    const took = timed(() => {
      const spots = findPlacement(room, request);
      if (spots !== null) taken = takeSpots(room, shape, spots);
    });
    if (taken.length > 0) placed += 1;
    giveBack(room, taken);
    return took;
  });
  return { samples, note: placed > 0 ? '' : 'exact no: fewer GPUs are free' };
}

/** 6 % of the nodes stay empty, 8 % half full. */
export function fillMost(room: Room): void {
  const random = createRandom(3);
  for (let node = 0; node < room.capacity.nodes; node += 1) {
    const fate = random.next();
    if (fate < 0.06) continue;
    const gpus = fate < 0.14 ? [0, 1, 2, 3] : [0, 1, 2, 3, 4, 5, 6, 7];
    room.capacity.take(holdOn(node, gpus, `uid-${node}`));
  }
}
