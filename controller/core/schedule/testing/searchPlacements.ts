import type { GangRequest, GangSpots } from '../gang/gangRequest.ts';
import type { Place, SmallCluster } from './smallCluster.ts';
import { range } from './smallCluster.ts';

/** The rules of a gang written down worker by worker, and a search of all ways to keep them. Slow, and plainly right. */
interface Worker {
  readonly group: number;
  readonly gpus: number;
  /** Innermost last: the first worker of the segment, counted over the whole gang, and the depth it is inside of. */
  readonly segments: readonly { readonly first: number; readonly depth: number }[];
}

function workersOf(request: GangRequest): readonly Worker[] {
  const workers: Worker[] = [];
  for (const [group, { workers: count, shape, segments }] of request.groups.entries()) {
    const start = workers.length;
    for (const worker of range(count)) {
      const around = segments.map(({ depth, workers: size }) => ({ first: start + worker - (worker % size), depth }));
      workers.push({ group, gpus: shape.gpus, segments: around });
    }
  }
  return workers;
}

/** Whether the next worker may stand on the node, when those before it stand on `nodes`. */
function mayStand(
  places: readonly Place[],
  request: GangRequest,
  step: { readonly nodes: readonly number[]; readonly worker: Worker },
  node: number,
): boolean {
  const { nodes, worker } = step;
  const domain = (at: number | undefined, depth: number): string | undefined => places[at ?? node]?.domains[depth];
  const { spread, exclusiveDepth, requiredDepth, allowed } = request;
  if (allowed !== null && allowed.mask[node] !== 1) return false;
  if (domain(nodes[0], requiredDepth) !== domain(node, requiredDepth)) return false;
  if (worker.segments.some(({ first, depth }) => domain(nodes[first], depth) !== domain(node, depth))) return false;
  if (exclusiveDepth !== null) {
    if (places.some((place) => place.isHeld && place.domains[exclusiveDepth] === domain(node, exclusiveDepth))) return false;
  }
  if (spread === null) return true;
  return nodes.filter((other) => domain(other, spread.depth) === domain(node, spread.depth)).length < spread.max;
}

/** Calls `found` with the nodes of every placement, by worker, until it answers true. */
export function searchPlacements(places: readonly Place[], request: GangRequest, found: (nodes: readonly number[]) => boolean): boolean {
  const workers = workersOf(request);
  const free = places.map((place) => place.freeGpus);
  const nodes: number[] = [];
  const next = (): boolean => {
    const worker = workers[nodes.length];
    if (worker === undefined) return found(nodes);
    for (const node of places.keys()) {
      const room = free[node] ?? 0;
      if (room < worker.gpus || !mayStand(places, request, { nodes, worker }, node)) continue;
      free[node] = room - worker.gpus;
      nodes.push(node);
      if (next()) return true;
      nodes.pop();
      free[node] = room;
    }
    return false;
  };
  return next();
}

export const canPlace = (places: readonly Place[], request: GangRequest): boolean => searchPlacements(places, request, () => true);

/** How many domains of a depth a placement touches at least; Infinity when there is none. */
export function fewestDomains(places: readonly Place[], request: GangRequest, depth: number): number {
  let fewest = Number.POSITIVE_INFINITY;
  searchPlacements(places, request, (nodes) => {
    fewest = Math.min(fewest, domainsOf(places, nodes, depth));
    return fewest === 1;
  });
  return fewest;
}

export const domainsOf = (places: readonly Place[], nodes: readonly number[], depth: number): number =>
  new Set(nodes.map((node) => places[node]?.domains[depth])).size;

/** What is wrong with a placement; empty when it keeps all rules and uses free GPUs, each once. */
export function faultsOf({ room, places }: SmallCluster, request: GangRequest, spots: GangSpots): readonly string[] {
  const workers = workersOf(request);
  const given = spots.flat();
  const faults: string[] =
    spots.map((group) => group.length).join() === request.groups.map((group) => group.workers).join() ? [] : ['wrong number of workers'];
  const nodes: number[] = [];
  const used = new Set<string>();
  for (const [at, { node, gpus }] of given.entries()) {
    const worker = workers[at];
    if (worker === undefined || gpus.length !== worker.gpus) faults.push(`worker ${at} has ${gpus.length} GPUs`);
    else if (!mayStand(places, request, { nodes, worker }, node))
      faults.push(`worker ${at} may not stand on node ${node} after ${nodes.join()}`);
    if (!room.capacity.isOpen(node)) faults.push(`node ${node} is closed`);
    nodes.push(node);
    for (const gpu of gpus) {
      if (room.capacity.freeMilli(node, gpu) !== 1_000) faults.push(`GPU ${gpu} of node ${node} is not free`);
      if (used.has(`${node}:${gpu}`)) faults.push(`GPU ${gpu} of node ${node} is given twice`);
      used.add(`${node}:${gpu}`);
    }
  }
  return faults;
}
