/**
 * What it costs to replace broken workers of a large gang, to keep pools of spares, and to plan a defrag.
 *   node bench/swap.ts
 * The engine alone and the core's pass, without API server and store. Nobody publishes such figures: Kueue swaps one node
 * a time (KEP-2724), its swap of several is an open request (kueue #14244).
 */
import { openRoom } from '#core/schedule/clusterRoom.ts';
import { planDefragNow } from '#core/schedule/defrag/defrag.ts';
import { findPlacement } from '#core/schedule/gang/findPlacement.ts';
import type { GangRequest, Spot } from '#core/schedule/gang/gangRequest.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { swapWorkers } from '#core/schedule/gang/swapWorkers.ts';
import type { Room } from '#core/schedule/capacity/room.ts';
import { step } from '#core/step.ts';
import { createRandom } from '#sim/random.ts';
import { policy } from '#test/simulation/fakeCluster.ts';
import { printMachine } from './machine.ts';
import { buildState } from './schedule/busyState.ts';
import { buildRoom, holdOn, partOf, rackDepth } from './schedule/cluster.ts';
import { describeSamples, sample, timed } from './schedule/samples.ts';

const nodesPerRack = 18;

printMachine();
measureSwaps();
measurePools();
measureDefrag();

/** A gang of 256 nodes (2,048 GPUs) with segments of 8 in racks of 18, of which 2 stay free; of the other racks one in four has room for a segment. */
function measureSwaps(): void {
  console.log('swap: 256 workers x 8 GPUs, segments of 8 in a rack; p99 aim: a few ms at 10,000 GPUs');
  for (const nodes of [1_250, 12_500]) {
    for (const broken of [1, 4, 16]) {
      const room = buildRoom(nodes, nodesPerRack);
      const request = anywhere([{ workers: 256, shape: partOf(8, 1000), segments: [{ depth: rackDepth, workers: 8 }] }]);
      const spots = findPlacement(room, request)?.[0] ?? [];
      const random = createRandom(5);
      fillRest(room, spots);
      const moved: number[] = [];
      const samples = sample(300, () => swapOnce({ room, request, spots, broken }, (count) => random.below(count), moved));
      const most = Math.max(...moved);
      console.log(
        `  ${nodes * 8} GPUs, ${String(broken).padStart(2)} broken  ${describeSamples(samples)}; sound workers moved: ${most} at most`,
      );
    }
  }
}

function fillRest(room: Room, spots: readonly Spot[]): void {
  const own = new Set(spots.map(({ node }) => node));
  const ownRacks = new Set([...own].map((node) => Math.floor(node / nodesPerRack)));
  for (let node = 0; node < room.capacity.nodes; node += 1) {
    const rack = Math.floor(node / nodesPerRack);
    const isFree = ownRacks.has(rack) || (rack % 4 === 0 && node % nodesPerRack < 8);
    if (!own.has(node) && !isFree) room.capacity.take(holdOn(node, [0, 1, 2, 3, 4, 5, 6, 7], 'uid-other'));
  }
}

interface Gang {
  readonly room: Room;
  readonly request: GangRequest;
  readonly spots: readonly Spot[];
  readonly broken: number;
}

function swapOnce({ room, request, spots, broken }: Gang, below: (count: number) => number, moved: number[]) {
  const lost = new Set<number>();
  while (lost.size < broken) lost.add(below(spots.length));
  const holds = [...lost].map((worker) => holdOn(spots[worker]?.node ?? 0, [0, 1, 2, 3, 4, 5, 6, 7], 'uid-fault'));
  for (const hold of holds) room.capacity.take(hold);
  const old = spots.map((spot, worker) => ({ spot, isSound: !lost.has(worker) }));
  const took = timed(() => {
    const swap = swapWorkers(room, request, old);
    if (swap === null) throw new Error('there is no swap');
    moved.push(swap.moved);
  });
  for (const hold of holds) room.capacity.give(hold);
  return took;
}

/** A pass in which nothing is to be decided, on a full cluster: without spares, with pools that lie free, and with pools of which every node is lent. */
function measurePools(): void {
  console.log('\npass on a full cluster with nothing waiting: what pools of a spare a rack cost');
  for (const nodes of [1_250, 12_500]) {
    for (const [what, whole, level] of [
      ['no pools', 0, ''],
      ['pools that lie free', nodes / 4, 'rack'],
      ['pools on nodes that are lent', 0, 'rack'],
    ] as const) {
      const state = buildState(nodes, { whole, single: 0 });
      const own = { ...policy, spares: { ...policy.spares, level, nodes: 1 } };
      const pass = () => {
        state.scheduleDirty = true;
        return timed(() => void step(state, [], { nowMs: state.atMs + 10, policy: own }));
      };
      pass();
      console.log(`  ${nodes * 8} GPUs, ${what.padEnd(30)} ${describeSamples(sample(100, pass))}; ${state.spares.size} spares`);
    }
  }
}

/** Half of the nodes have one GPU free, the others none: every node that could be emptied is tried, in vain. */
function measureDefrag(): void {
  console.log('\ndefrag --dry-run, the worst case: half of the nodes have one GPU free beside a job of 7, which fits nowhere else');
  for (const nodes of [1_250, 12_500]) {
    const state = buildState(nodes, { whole: 0, single: nodes / 2 });
    openRoom(state, { nowMs: state.atMs, policy });
    let moves = 0;
    const samples = sample(10, () =>
      timed(() => {
        moves = planDefragNow(state, { nowMs: state.atMs + 1_000, policy }, null).moves.length;
      }),
    );
    console.log(`  ${nodes * 8} GPUs  ${describeSamples(samples)}; ${moves} moves`);
  }
}
