import type { Hold } from '#core/schedule/capacity/capacity.ts';
import type { Room } from '#core/schedule/capacity/room.ts';
import { findPlacement } from '#core/schedule/gang/findPlacement.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { buildRoom, giveBack, holdOn, partOf, rackDepth, takeSpots } from './cluster.ts';
import { describeRate, printRow, sample, timed } from './samples.ts';

const nodes = 5_000;
const nodesPerRack = 100;

const rows = [
  { gangs: 1, workers: 750, gpuMilli: 1000, peers: '562-630 pods/s sampling racks, about 110 scoring all' },
  { gangs: 1, workers: 750, gpuMilli: 250, peers: '562-630 pods/s sampling racks, about 110 scoring all' },
  { gangs: 1, workers: 1_500, gpuMilli: 250, peers: '526-574 pods/s sampling racks, about 106 scoring all' },
  { gangs: 1, workers: 2_250, gpuMilli: 250, peers: '492-547 pods/s sampling racks, about 104 scoring all' },
  { gangs: 3, workers: 1_000, gpuMilli: 250, peers: '953-975 pods/s sampling racks, 67-224 scoring all' },
  { gangs: 6, workers: 1_000, gpuMilli: 250, peers: '625 pods/s sampling racks, 137 scoring all' },
  { gangs: 9, workers: 1_000, gpuMilli: 250, peers: '615-642 pods/s sampling racks, 124 scoring all' },
] as const;

/** Gangs on 5,000 nodes in 50 racks, each inside one rack; all racks are scored. */
export function measureGangs(): void {
  console.log('  5,000 nodes x 8 GPUs, 100 nodes a rack: 800 workers of a GPU or 3,200 of a quarter; a few nodes of each rack are taken.');
  console.log('  Peers: kube-scheduler pull requests 139859 and 140611, with API server and etcd; ours is the engine alone.');
  for (const { gangs, workers, gpuMilli, peers } of rows) {
    const what = `${gangs} x ${workers} workers of ${gpuMilli === 1000 ? 'a GPU' : 'a quarter GPU'}`;
    printRow({ what, ours: measure(gangs, workers, gpuMilli), aim: '>= 100,000 workers/s', peers: `kube-scheduler ${peers}` });
  }
}

function measure(gangs: number, workers: number, gpuMilli: number): string {
  const room = buildRoom(nodes, nodesPerRack);
  takeSomeOfEachRack(room);
  const shape = partOf(1, gpuMilli);
  const request = anywhere([{ workers, shape, segments: [] }], rackDepth);
  const samples = sample(100, () => {
    const taken: Hold[] = [];
    const took = timed(() => {
      for (let gang = 0; gang < gangs; gang += 1) {
        const spots = findPlacement(room, request);
        if (spots === null) throw new Error(`gang ${gang} finds no place`);
        taken.push(...takeSpots(room, shape, spots));
      }
    });
    if (taken.length !== gangs * workers) throw new Error(`${taken.length} workers were placed`);
    giveBack(room, taken);
    return took;
  });
  return describeRate(gangs * workers, 'workers', samples);
}

/** 0 to 49 single GPUs a rack, so that no two racks score the same: 751 to 800 are left. */
function takeSomeOfEachRack(room: Room): void {
  for (let node = 0; node < nodes; node += 1) {
    const rack = Math.floor(node / nodesPerRack);
    if (node % nodesPerRack < (rack * 37) % 50) room.capacity.take(holdOn(node, [0], 'uid-other'));
  }
}
