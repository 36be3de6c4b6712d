import type { NodeName } from '#vocabulary/ids.ts';
import type { WorkerPlace } from '#vocabulary/job.ts';
import type { GpuInfo, Levels } from '#vocabulary/topology.ts';
import { domainKey } from '#vocabulary/topology.ts';
import { isWhollyFree } from '../nodes/holds.ts';
import type { NodeView, StateView } from '../state/view.ts';

/**
 * Room for workers of one shape (a GPU model and a number of GPUs) over the topology: each domain knows how many such
 * workers fit below it. Made once a pass and shape, lowered as the pass places gangs.
 */
export interface Domain {
  readonly key: string;
  /** 0: the whole cluster; levels.length: a node. */
  readonly depth: number;
  readonly node: NodeName | null;
  readonly parent: Domain | null;
  readonly children: Domain[];
  slots: number;
}

export interface FreeTree {
  readonly root: Domain;
  /** Sorted by key. */
  readonly byDepth: readonly (readonly Domain[])[];
  readonly leaves: ReadonlyMap<NodeName, Domain>;
}

export interface WorkerShape {
  /** null: the worker has no GPUs. */
  readonly model: string | null;
  readonly gpus: number;
}

/** Workers without GPUs that one node is given at most. */
const gpulessSlots = 64;

export function buildFreeTree(state: StateView, shape: WorkerShape, levels: Levels): FreeTree {
  const root: Domain = { key: '', depth: 0, node: null, parent: null, children: [], slots: 0 };
  const byDepth: Domain[][] = Array.from({ length: levels.length + 1 }, () => []);
  byDepth[0]?.push(root);
  const known = new Map<string, Domain>();
  const leaves = new Map<NodeName, Domain>();
  for (const name of [...state.nodes.keys()].sort()) {
    const node = state.nodes.get(name);
    if (node === undefined) continue;
    let parent = root;
    const path = [...node.inventory.path, name];
    for (let depth = 1; depth <= path.length; depth += 1) {
      const key = domainKey(path, depth);
      const mapKey = `${depth} ${key}`;
      let domain = known.get(mapKey);
      if (domain === undefined) {
        domain = { key, depth, node: depth === path.length ? name : null, parent, children: [], slots: 0 };
        known.set(mapKey, domain);
        parent.children.push(domain);
        byDepth[depth]?.push(domain);
      }
      parent = domain;
    }
    leaves.set(name, parent);
    addSlots(parent, slotsOf(node, shape));
  }
  return { root, byDepth, leaves };
}

/** Counts a node again after GPUs of it were given away. */
export function recountNode(tree: FreeTree, node: NodeView, shape: WorkerShape): void {
  const leaf = tree.leaves.get(node.name);
  if (leaf !== undefined) addSlots(leaf, slotsOf(node, shape) - leaf.slots);
}

export function addSlots(leaf: Domain, change: number): void {
  for (let domain: Domain | null = leaf; domain !== null; domain = domain.parent) domain.slots += change;
}

function slotsOf(node: NodeView, shape: WorkerShape): number {
  if (!takesWork(node)) return 0;
  return shape.gpus === 0 ? Math.max(0, gpulessSlots - node.jobs.size) : Math.floor(countFreeGpus(node, shape.model) / shape.gpus);
}

/** Every node is counted in every pass: no lists here. */
function countFreeGpus(node: NodeView, model: string | null): number {
  let free = 0;
  for (const gpu of node.inventory.gpus) if (isFree(node, gpu, model)) free += 1;
  return free;
}

export function isFree(node: NodeView, gpu: GpuInfo, model: string | null): boolean {
  return gpu.model === model && isWhollyFree(node, gpu.index) && node.health[gpu.index]?.healthy === true;
}

export function takesWork(node: NodeView): boolean {
  return node.availability.kind === 'ready' && node.cordon === null;
}

/** Indices of GPUs of the model that are healthy and held by nobody, neighbours over NVLink together. */
function freeGpus(node: NodeView, model: string | null): readonly number[] {
  return node.inventory.gpus
    .filter((gpu) => isFree(node, gpu, model))
    .sort((left, right) => (left.nvlinkDomain ?? -1) - (right.nvlinkDomain ?? -1) || left.index - right.index)
    .map((gpu) => gpu.index);
}

/** GPUs for `workers` workers of one node, none of `spoken`: each from the NVLink domain with the least room that holds it, else across. */
export function takeGpus(node: NodeView, shape: WorkerShape, workers: number, spoken: ReadonlySet<number>): readonly WorkerPlace[] {
  const domainOf = new Map(node.inventory.gpus.map((gpu) => [gpu.index, gpu.nvlinkDomain]));
  const groups = new Map<number | null, number[]>();
  for (const gpu of freeGpus(node, shape.model)) {
    if (spoken.has(gpu)) continue;
    const domain = domainOf.get(gpu) ?? null;
    groups.set(domain, [...(groups.get(domain) ?? []), gpu]);
  }
  const places: WorkerPlace[] = [];
  for (let worker = 0; worker < workers; worker += 1) {
    const fitting = [...groups.values()].filter((group) => group.length >= shape.gpus).sort((left, right) => left.length - right.length);
    const gpus = fitting[0]?.splice(0, shape.gpus) ?? takeAcross([...groups.values()], shape.gpus);
    places.push({ node: node.name, gpus });
  }
  return places;
}

function takeAcross(groups: number[][], count: number): number[] {
  const taken: number[] = [];
  for (const group of groups.sort((left, right) => right.length - left.length)) taken.push(...group.splice(0, count - taken.length));
  return taken.sort((left, right) => left - right);
}
