import type { NodeName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { StateView } from '../state/view.ts';
import type { FreeTree, WorkerShape } from './freeTree.ts';
import { buildFreeTree, recountNode } from './freeTree.ts';

/**
 * Free room by worker shape, kept from pass to pass: only nodes that changed since are counted again, so that a pass over
 * a cluster at rest costs a comparison a node. It follows from the state alone and goes with it.
 */
interface RoomCache {
  readonly trees: Map<string, { readonly shape: WorkerShape; readonly tree: FreeTree }>;
  models: readonly string[];
  /** Nodes that changed after this revision are not counted yet. */
  asOf: number;
  /** Of State.topologyAt, when the trees were built. */
  topologyAt: number;
}

const caches = new WeakMap<StateView, RoomCache>();

function cacheOf(state: StateView): RoomCache {
  const known = caches.get(state);
  if (known !== undefined) return known;
  const cache: RoomCache = { trees: new Map(), models: [], asOf: 0, topologyAt: -1 };
  caches.set(state, cache);
  return cache;
}

/** What one pass knows of free room, and which shapes already failed in it. */
export interface Room {
  readonly levels: Levels;
  readonly failed: Map<string, WaitReason>;
  tree(shape: WorkerShape): FreeTree;
  /** The wanted models that the cluster has, in the wanted order; all, sorted, when none is named. */
  models(wanted: readonly string[]): readonly string[];
  freeGpus(model: string | null): number;
  /** GPUs of these places were given away. */
  taken(placement: Placement): void;
}

export function openRoom(state: StateView, levels: Levels): Room {
  const cache = cacheOf(state);
  refresh(state, cache);
  const treeOf = (shape: WorkerShape): FreeTree => {
    const key = `${shape.model ?? ''} ${shape.gpus}`;
    const known = cache.trees.get(key);
    if (known !== undefined) return known.tree;
    const tree = buildFreeTree(state, shape, levels);
    cache.trees.set(key, { shape, tree });
    return tree;
  };
  return {
    levels,
    failed: new Map(),
    tree: treeOf,
    models: (wanted) => (wanted.length === 0 ? cache.models : wanted.filter((model) => cache.models.includes(model))),
    freeGpus: (model) => (model === null ? 0 : treeOf({ model, gpus: 1 }).root.slots),
    taken: (placement) => {
      for (const name of new Set(placement.map((place) => place.node))) recount(state, cache, name);
    },
  };
}

function refresh(state: StateView, cache: RoomCache): void {
  if (cache.topologyAt !== state.topologyAt) {
    cache.trees.clear();
    cache.models = modelsOf(state);
    cache.topologyAt = state.topologyAt;
  } else {
    for (const node of state.nodes.values()) if (node.changedAt > cache.asOf) recount(state, cache, node.name);
  }
  cache.asOf = state.revision;
}

function recount(state: StateView, cache: RoomCache, name: NodeName): void {
  const node = state.nodes.get(name);
  if (node === undefined) return;
  for (const { shape, tree } of cache.trees.values()) recountNode(tree, node, shape);
}

function modelsOf(state: StateView): readonly string[] {
  const models = new Set<string>();
  for (const node of state.nodes.values()) for (const gpu of node.inventory.gpus) models.add(gpu.model);
  return [...models].sort();
}
