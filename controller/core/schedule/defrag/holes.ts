import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Capacity } from '../capacity/capacity.ts';
import type { Holes } from './defragPlan.ts';

/** Of nodes that take work. One that takes none, or has no GPUs, lies neither free nor scattered. */
export function measureHoles(capacity: Capacity, levels: Levels): Holes {
  const { topology } = capacity;
  const isFree = new Uint8Array(topology.parent.length);
  let scatteredMilli = 0;
  const first = topology.levelStart[topology.depth] ?? 0;
  for (let node = 0; node < capacity.nodes; node += 1) {
    if (!capacity.isOpen(node)) continue;
    const milli = freeMilliOn(capacity, node);
    if (isWhole(capacity, node)) isFree[first + node] = 1;
    else scatteredMilli += milli;
  }
  const free = levels.map((level, at) => {
    let domains = 0;
    for (let domain = topology.levelStart[at + 1] ?? 0; domain < (topology.levelStart[at + 2] ?? 0); domain += 1) {
      if (isDomainFree(capacity, isFree, domain)) domains += 1;
    }
    return { level, domains };
  });
  return { scatteredMilli, free };
}

function isDomainFree({ topology }: Capacity, isFree: Uint8Array, domain: number): boolean {
  const first = topology.levelStart[topology.depth] ?? 0;
  for (let node = topology.firstNode[domain] ?? 0; node < (topology.endNode[domain] ?? 0); node += 1)
    if (isFree[first + node] !== 1) return false;
  return true;
}

/** Every GPU of the node is healthy and free. */
export function isWhole(capacity: Capacity, node: number): boolean {
  const { gpus } = capacity.factsOf(node);
  return gpus.length > 0 && gpus.every(({ index }) => capacity.freeMilli(node, index) === gpuMilliPerGpu);
}

export function freeMilliOn(capacity: Capacity, node: number): number {
  return capacity.factsOf(node).gpus.reduce((sum, { index }) => sum + capacity.freeMilli(node, index), 0);
}
