import type { Hold } from '#core/schedule/capacity/capacity.ts';
import type { Room } from '#core/schedule/capacity/room.ts';
import type { AxisTraffic } from '#core/schedule/mesh/traffic.ts';
import { giveBack, holdOn } from '../schedule/cluster.ts';
import { describeSamples, printRow, sample, timed } from '../schedule/samples.ts';
import { decideMesh } from './decide.ts';
import { fragmentedRoom, gpusPerNode } from './fragmentedRoom.ts';
import { largeMesh, meshes } from './meshes.ts';

/** Every decision is timed, each in a room that changed since the one before: a node was given back, and another one taken. */
export function measureTime(): void {
  for (const [name, axes] of Object.entries(meshes))
    timeOne({ what: `2,048 GPUs of 10,000: ${name}`, aim: 'p99 < 10 ms', room: fragmentedRoom(1_250, 1), axes, count: 200 });
  const room = fragmentedRoom(12_500, 1);
  timeOne({ what: '16,384 GPUs of 100,000: pipeline 16, data 16, expert 64', aim: 'p99 < 100 ms', room, axes: largeMesh, count: 50 });
}

interface Subject {
  readonly what: string;
  readonly aim: string;
  readonly room: Room;
  readonly axes: readonly AxisTraffic[];
  readonly count: number;
}

function timeOne({ what, aim, room, axes, count }: Subject): void {
  const { capacity } = room;
  const gpus = Array.from({ length: gpusPerNode }, (_, gpu) => gpu);
  let node = 0;
  let held: readonly Hold[] = [];
  const cpuMs: number[] = [];
  const samples = sample(count, () => {
    giveBack(room, held);
    do node = (node + 7) % capacity.nodes;
    while (capacity.wholeFree(node, 0) < gpusPerNode);
    held = [holdOn(node, gpus)];
    for (const hold of held) capacity.take(hold);
    const took = timed(() => decideMesh(room, axes));
    cpuMs.push(took.cpuMs);
    return took;
  });
  // As the thread's own CPU time has it, which does not grow when others have the core; the first tenth warmed the compiler up.
  const sorted = cpuMs.slice(-count).sort((left, right) => left - right);
  const ours = `${describeSamples(samples)}; CPU time of each: p99 ${(sorted[Math.floor(count * 0.99)] ?? Number.NaN).toFixed(3)} ms`;
  printRow({ what, ours, aim, peers: '' });
}
