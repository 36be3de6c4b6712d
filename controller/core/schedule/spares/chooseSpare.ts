import type { Placement } from '#vocabulary/job.ts';
import type { NodeView, StateView } from '../../state/view.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { DomainAt } from '../gang/findPlacement.ts';
import type { WorkerGroup } from '../gang/gangRequest.ts';
import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import { borrowersOn } from './borrow.ts';

export interface SpareWish {
  /** Numbers of the nodes to choose from. */
  readonly nodes: readonly number[];
  /** Of the cluster's segments; see `sizePool`. */
  readonly segmentNodes: number;
  /** Whether the node would do. */
  readonly fits: (node: number) => boolean;
}

/**
 * The node that is missed least as a spare: one that lies free before one on which only work stands that can be asked to
 * leave at once; one whose rack has no segment less without it; one of the rack with the fewest free nodes, so that large holes live; the
 * last in path order. -1: there is none.
 */
export function chooseSpare(state: StateView, capacity: Capacity, { nodes, segmentNodes, fits }: SpareWish): number {
  const { topology } = capacity;
  const free = new Map<number, number>();
  const candidates: { readonly node: number; readonly isLent: boolean; readonly around: number }[] = [];
  for (const node of nodes) {
    const view = state.nodes.get(capacity.nameOf(node));
    if (view === undefined || view.promises.length > 0 || view.reserved !== null) continue;
    if (!capacity.isOpen(node) || !isSound(capacity, node) || !fits(node)) continue;
    const isLent = capacity.holdsOf(node).length > 0;
    if (isLent && !isBorrowed(state, capacity, node, view)) continue;
    const around = domainAbove(topology, node, topology.depth - 1);
    if (!isLent) free.set(around, (free.get(around) ?? 0) + 1);
    candidates.push({ node, isLent, around });
  }
  let [best, bestRank] = [-1, [Number.POSITIVE_INFINITY]];
  for (const { node, isLent, around } of candidates) {
    const there = free.get(around) ?? 0;
    const segmentsLost = Math.floor(there / segmentNodes) - Math.floor(Math.max(0, there - 1) / segmentNodes);
    const rank = [isLent ? 1 : 0, segmentsLost, there, -node];
    if (compareRanks(rank, bestRank) < 0) [best, bestRank] = [node, rank];
  }
  return best;
}

function compareRanks(one: readonly number[], other: readonly number[]): number {
  for (const [at, value] of one.entries()) if (value !== (other[at] ?? 0)) return value - (other[at] ?? 0);
  return 0;
}

const isSound = (capacity: Capacity, node: number): boolean => capacity.factsOf(node).gpus.every(({ healthy }) => healthy);

/** A hold without an owner is kept for somebody. */
function isBorrowed(state: StateView, capacity: Capacity, node: number, view: NodeView): boolean {
  return capacity.holdsOf(node).every(({ owner }) => owner !== null) && borrowersOn(state, view) !== null;
}

/**
 * The domains in which one more spare node helps the gang, best first. A replacement must stand inside the domain of its
 * segment, so spares go there, and where there are no segments, inside the domain that the gang must be in, nearest first.
 * Of domains of one depth that comes first which has most workers for each spare.
 */
export function domainsToSpare(
  topology: Topology,
  gang: { readonly placement: Placement; readonly requiredDepth: number; readonly segments: WorkerGroup['segments'] },
  spares: readonly number[],
): readonly DomainAt[] {
  const { placement, requiredDepth, segments } = gang;
  const depths = segments.flatMap(({ depth }) => (depth < topology.depth ? [depth] : []));
  const widest = Math.min(topology.depth - 1, Math.max(requiredDepth, ...depths));
  const nodes = placement.flatMap(({ node }) => topology.numberOf.get(node) ?? []);
  const domains: DomainAt[] = [];
  for (let depth = topology.depth - 1; depth >= widest; depth -= 1) {
    const workers = countBy(nodes, (node) => domainAbove(topology, node, depth));
    const spared = countBy(spares, (node) => domainAbove(topology, node, depth));
    const worth = (domain: number): number => (workers.get(domain) ?? 0) / (1 + (spared.get(domain) ?? 0));
    const those = [...workers.keys()].sort((one, other) => worth(other) - worth(one) || one - other);
    domains.push(...those.map((domain) => ({ domain, depth })));
  }
  return domains;
}

function countBy(nodes: readonly number[], domainOf: (node: number) => number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const node of nodes) counts.set(domainOf(node), (counts.get(domainOf(node)) ?? 0) + 1);
  return counts;
}
