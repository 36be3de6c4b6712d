import type { Capacity, GpuFacts } from '../capacity/capacity.ts';
import type { Spot } from '../gang/gangRequest.ts';
import type { LinkSpeeds } from './linkSpeeds.ts';

/**
 * The places of a gang as the cost model sees them: at each layer of the cluster, which domain a place is in and how fast
 * that domain's links are. Layers that all places share one domain of are left out: nothing leaves it.
 */
export interface Ground {
  /** Places; each holds one worker. */
  readonly places: number;
  /** GPUs of a worker. */
  readonly gpus: number;
  /** What one GPU can send at all, bytes a second. */
  readonly portSpeed: number;
  /** Innermost first. */
  readonly layers: readonly Layer[];
  /** Number of the node, by place. */
  readonly nodeOf: Int32Array;
}

export interface Layer {
  /** As costs name it. */
  readonly name: string;
  /** Of each GPU inside a domain, bytes a second. */
  readonly speed: number;
  /** Where only places of one rail talk; null: it makes no difference. */
  readonly rail: { readonly speed: number; readonly of: Int32Array } | null;
  /** Domain by place, or by GPU (place x GPUs of a worker + index in it), numbered from 0. */
  readonly domainOf: Int32Array;
  readonly isByGpu: boolean;
  /** GPUs of the gang, by domain. */
  readonly gpusIn: Float64Array;
}

/** Spots of whole GPUs, all workers alike. */
export function groundOf(capacity: Capacity, spots: readonly Spot[], speeds: LinkSpeeds): Ground {
  const { depth: nodes, levelStart, parent } = capacity.topology;
  const gpus = spots[0]?.gpus.length ?? 0;
  const nodeOf = Int32Array.from(spots, ({ node }) => node);
  const layers: Layer[] = [];
  const rails = railsOf(spots);
  let domains = nodeOf.map((node) => (levelStart[nodes] ?? 0) + node);
  const links = linksOf(capacity, spots);
  const inside = links === null ? null : layerOf(links.domains, links.isByGpu ? 1 : gpus);
  if (links !== null && inside !== null)
    layers.push({ name: speeds.nodeName, speed: speeds.node, rail: null, isByGpu: links.isByGpu, ...inside });
  for (let depth = nodes; depth >= 1; depth -= 1) {
    const { name, bytes, rail } = speeds.out[depth - 1] ?? { name: '', bytes: Number.POSITIVE_INFINITY, rail: null };
    const layer = layerOf(domains, gpus);
    // Nor is there more than one domain around it.
    if (layer === null) break;
    layers.push({ name, speed: bytes, rail: rail === null ? null : { speed: rail, of: rails }, isByGpu: false, ...layer });
    domains = domains.map((domain) => parent[domain] ?? 0);
  }
  return { places: spots.length, gpus, portSpeed: speeds.nvlink, layers, nodeOf };
}

/** null: there is one domain. */
function layerOf(keys: Int32Array | Float64Array, gpusEach: number): Pick<Layer, 'domainOf' | 'gpusIn'> | null {
  const numbers = new Map<number, number>();
  const domainOf = new Int32Array(keys.length);
  let [last, number] = [-1, 0];
  for (const [at, key] of keys.entries()) {
    // Neighbours are mostly alike.
    if (key !== last) {
      number = numbers.get(key) ?? numbers.size;
      if (number === numbers.size) numbers.set(key, number);
      last = key;
    }
    domainOf[at] = number;
  }
  if (numbers.size <= 1) return null;
  const gpusIn = new Float64Array(numbers.size);
  for (const domain of domainOf) gpusIn[domain] = (gpusIn[domain] ?? 0) + gpusEach;
  return { domainOf, gpusIn };
}

/** Places with the same GPU indices are on the same rails. */
function railsOf(spots: readonly Spot[]): Int32Array {
  const kinds: (readonly number[])[] = [];
  return Int32Array.from(spots, ({ gpus }) => {
    const known = kinds.findIndex((kind) => kind === gpus || (kind.length === gpus.length && kind.every((gpu, at) => gpu === gpus[at])));
    return known >= 0 ? known : kinds.push(gpus) - 1;
  });
}

/** A node has fewer NVLink domains than this, and GPUs with lower indices. */
const linksMax = 2 ** 16;

/** NVLink domains by place, or by GPU where a worker has several. null: each node is one. */
function linksOf(capacity: Capacity, spots: readonly Spot[]): { readonly domains: Float64Array; readonly isByGpu: boolean } | null {
  if (spots.every(({ node }) => isOneDomain(capacity, node))) return null;
  const gpusEach = spots[0]?.gpus.length ?? 1;
  const byGpu = new Float64Array(spots.length * gpusEach);
  let isByGpu = false;
  for (const [place, { node, gpus }] of spots.entries()) {
    const facts = capacity.factsOf(node).gpus;
    for (const [at, gpu] of gpus.entries()) {
      byGpu[place * gpusEach + at] = linkOf(facts, node, gpu);
      if (byGpu[place * gpusEach + at] !== byGpu[place * gpusEach]) isByGpu = true;
    }
  }
  return { isByGpu, domains: isByGpu ? byGpu : byGpu.filter((_, at) => at % gpusEach === 0) };
}

function isOneDomain(capacity: Capacity, node: number): boolean {
  return capacity.linkedGpus(node).length === 1 && (capacity.factsOf(node).gpus[0]?.nvlinkDomain ?? null) !== null;
}

/** A GPU without NVLink is alone. */
function linkOf(facts: readonly GpuFacts[], node: number, gpu: number): number {
  const likely = facts[gpu];
  const { nvlinkDomain = null } = (likely?.index === gpu ? likely : facts.find(({ index }) => index === gpu)) ?? {};
  return node * linksMax + (nvlinkDomain ?? linksMax / 2 + gpu);
}
