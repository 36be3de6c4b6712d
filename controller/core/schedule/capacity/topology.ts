import type { NodeName } from '#vocabulary/ids.ts';

/**
 * The cluster tree in numbers. Nodes are numbered in path order, so that each domain holds one run of consecutive nodes
 * and one run of consecutive children, and a scan over a level touches neighbouring memory. Domains of all depths share
 * one numbering: 0 is the whole cluster, then every domain of depth 1, of depth 2, …; the nodes come last.
 */
export interface Topology {
  /** Depth of the nodes: the number of levels. */
  readonly depth: number;
  /** By node number: sorted by path, then by name. */
  readonly names: readonly NodeName[];
  readonly numberOf: ReadonlyMap<NodeName, number>;
  /** Domains of depth d are numbered from `levelStart[d]` to `levelStart[d + 1]`, exclusive. */
  readonly levelStart: Int32Array;
  /** By domain; -1 for the cluster. */
  readonly parent: Int32Array;
  readonly firstNode: Int32Array;
  /** Exclusive. */
  readonly endNode: Int32Array;
  /** Of domains above the nodes. */
  readonly firstChild: Int32Array;
  /** Exclusive. */
  readonly endChild: Int32Array;
}

export interface PlacedNode {
  readonly name: NodeName;
  /** Domain names, outermost first, without the node itself. */
  readonly path: readonly string[];
}

/** `depth` is the number of levels; paths that are shorter or longer are a caller's mistake (agents are refused before). */
export function compileTopology(nodes: readonly PlacedNode[], depth: number): Topology {
  const sorted = [...nodes].sort(comparePlaces);
  const domains = listDomains(sorted, depth);
  const count = domains.length;
  const levelStart = new Int32Array(depth + 2);
  const parent = new Int32Array(count).fill(-1);
  const firstNode = new Int32Array(count);
  const endNode = new Int32Array(count);
  const firstChild = new Int32Array(count);
  const endChild = new Int32Array(count);
  for (const [number, domain] of domains.entries()) {
    levelStart[domain.depth + 1] = number + 1;
    parent[number] = domain.parent;
    firstNode[number] = domain.firstNode;
    endNode[number] = domain.endNode;
    if (domain.parent < 0) continue;
    if (endChild[domain.parent] === 0) firstChild[domain.parent] = number;
    endChild[domain.parent] = number + 1;
  }
  for (let at = 1; at < levelStart.length; at += 1) levelStart[at] = Math.max(levelStart[at] ?? 0, levelStart[at - 1] ?? 0);
  const names = sorted.map((node) => node.name);
  const numberOf = new Map(names.map((name, number) => [name, number]));
  return { depth, names, numberOf, levelStart, parent, firstNode, endNode, firstChild, endChild };
}

interface DomainDraft {
  readonly depth: number;
  readonly parent: number;
  readonly firstNode: number;
  readonly endNode: number;
}

/** Breadth first: a level is one run, and so are the children of one domain. */
function listDomains(sorted: readonly PlacedNode[], depth: number): readonly DomainDraft[] {
  const domains: DomainDraft[] = [{ depth: 0, parent: -1, firstNode: 0, endNode: sorted.length }];
  for (let at = 0; at < domains.length; at += 1) {
    const domain = domains[at];
    if (domain === undefined || domain.depth === depth) continue;
    let first = domain.firstNode;
    for (let end = first + 1; end <= domain.endNode; end += 1) {
      if (end < domain.endNode && stepOf(sorted[end], domain.depth) === stepOf(sorted[first], domain.depth)) continue;
      domains.push({ depth: domain.depth + 1, parent: at, firstNode: first, endNode: end });
      first = end;
    }
  }
  return domains;
}

/** The name that tells a node's domain from its siblings below a domain of this depth. */
const stepOf = (node: PlacedNode | undefined, depth: number): string | undefined => node?.path[depth] ?? node?.name;

function comparePlaces(left: PlacedNode, right: PlacedNode): number {
  for (let depth = 0; depth < Math.max(left.path.length, right.path.length); depth += 1) {
    const [a, b] = [left.path[depth] ?? '', right.path[depth] ?? ''];
    if (a !== b) return a < b ? -1 : 1;
  }
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** The domain of this depth that holds the node. */
export function domainAbove(topology: Topology, node: number, depth: number): number {
  let domain = (topology.levelStart[topology.depth] ?? 0) + node;
  for (let at = topology.depth; at > depth; at -= 1) domain = topology.parent[domain] ?? 0;
  return domain;
}

/** Domains of a depth inside a domain that is not deeper: a run of numbers, the end exclusive. */
export function domainsInside(
  topology: Topology,
  outer: { readonly domain: number; readonly depth: number },
  depth: number,
): readonly [number, number] {
  let [first, end] = [outer.domain, outer.domain + 1];
  for (let at = outer.depth; at < depth; at += 1) [first, end] = [topology.firstChild[first] ?? 0, topology.endChild[end - 1] ?? 0];
  return [first, end];
}
