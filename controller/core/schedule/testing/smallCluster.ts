import fc from 'fast-check';
import type { Hold, NodeFacts } from '../capacity/capacity.ts';
import { Capacity } from '../capacity/capacity.ts';
import { Room } from '../capacity/room.ts';
import { jobUid, nodeName } from '#vocabulary/ids.ts';

/** Clusters so small that every way to place a gang can be tried: zones, racks and nodes of one GPU model. */
export interface SmallNode {
  readonly zone: number;
  readonly rack: number;
  readonly gpus: number;
  /** The first GPUs, held by somebody who stays. */
  readonly held: number;
  readonly open: boolean;
}

export const model = 'H100';
/** Depths of the small cluster's levels. */
export const [zoneDepth, rackDepth, nodeDepth] = [1, 2, 3] as const;

/** What a search of all placements needs of a node, by node number. */
export interface Place {
  /** Names of the domains around it by depth, the cluster first and the node itself last. */
  readonly domains: readonly string[];
  readonly freeGpus: number;
  /** Somebody stands here. */
  readonly isHeld: boolean;
}

export interface SmallCluster {
  readonly room: Room;
  readonly places: readonly Place[];
}

const anySmallNode: fc.Arbitrary<SmallNode> = fc
  .record({ zone: fc.nat(1), rack: fc.nat(1), gpus: fc.nat(4), held: fc.nat(6), open: fc.nat(7).map((n) => n > 0) })
  .map((node) => ({ ...node, held: node.held > node.gpus ? 0 : node.held }));

export const anySmallCluster = fc.array(anySmallNode, { minLength: 1, maxLength: 6 });

/** Where most gangs find a place, and few find two. */
export const anyOpenCluster: fc.Arbitrary<readonly SmallNode[]> = fc.array(
  fc.record({ zone: fc.nat(1), rack: fc.nat(1), gpus: fc.integer({ min: 1, max: 3 }) }).map((node) => ({ ...node, held: 0, open: true })),
  { minLength: 4, maxLength: 6 },
);

/** A node with all of its GPUs free. */
export const freeNode = (rack: number, gpus: number, zone = 0): SmallNode => ({ zone, rack, gpus, held: 0, open: true });

export function buildSmallCluster(nodes: readonly SmallNode[]): SmallCluster {
  const byName = new Map(nodes.map((node, index) => [nodeName(`n${index}`), node]));
  const capacity = Capacity.of(
    [...byName].map(([name, { zone, rack, gpus, open }]) => factsOf({ name, path: [`z${zone}`, `r${rack}`], gpus, open })),
    nodeDepth,
  );
  const places = capacity.topology.names.map((name, number): Place => {
    const { zone, rack, gpus, held, open } = byName.get(name) ?? freeNode(0, 0);
    if (held > 0) capacity.take(holdOf('stays', number, range(held)));
    return { domains: ['', `z${zone}`, `z${zone} r${rack}`, name], freeGpus: open ? gpus - held : 0, isHeld: held > 0 };
  });
  return { room: new Room(capacity), places };
}

function factsOf(
  node: Pick<NodeFacts, 'name' | 'path'> & Partial<Pick<NodeFacts, 'open' | 'cpuMilli' | 'memoryBytes'>> & { readonly gpus: number },
): NodeFacts {
  const gpus = range(node.gpus).map((index) => ({ index, model, nvlinkDomain: null, healthy: true }));
  return { open: true, cpuMilli: null, memoryBytes: null, labels: {}, ...node, gpus };
}

export const holdOf = (owner: string, node: number, gpus: readonly number[]): Hold => ({
  owner: jobUid(owner),
  node,
  gpus,
  gpuMilli: 1_000,
  cpuMilli: 0,
  memoryBytes: 0,
});

export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

/** All that can be read of a capacity, to compare before and after. */
export function pictureOf(capacity: Capacity): unknown {
  return range(capacity.nodes).map((node) => ({
    open: capacity.isOpen(node),
    free: range(capacity.gpusOf(node)).map((gpu) => capacity.freeMilli(node, gpu)),
    whole: capacity.models.map((_, number) => capacity.wholeFree(node, number)),
    cpu: capacity.cpuFreeMilli(node),
    memory: capacity.memoryFreeBytes(node),
    gpuless: capacity.gpulessFree(node),
    holds: capacity
      .holdsOf(node)
      .map((hold) => JSON.stringify(hold))
      .sort(),
  }));
}
