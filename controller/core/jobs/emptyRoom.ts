import type { JobSpec, SegmentSpec } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Levels } from '#vocabulary/topology.ts';
import { domainKey } from '#vocabulary/topology.ts';
import { perTopology } from '../state/perTopology.ts';
import type { NodeView, StateView } from '../state/view.ts';

/**
 * How many workers of a shape the best domain of each level would hold if the cluster were empty and whole: every GPU
 * that a node ever told of, though the node be lost, cordoned or sick. What does not fit here never fits as the cluster
 * is known, so a job may be refused for it and need not wait.
 *
 * Counted from the nodes up: a domain holds what its children hold, cut to whole segments and to the spread's limit at
 * their levels. Labels of nodes are not looked at (they change), so this never says less than there is.
 * O(nodes) once a shape; kept until the topology changes.
 */
export interface EmptyRoom {
  /** Workers in the best domain, before segments and spread of this level are looked at. */
  readonly raw: number;
  /** And after. */
  readonly workers: number;
}

export type EmptyShape = Pick<JobSpec, 'gpusPerWorker' | 'gpuShareMilli' | 'gpuProfile' | 'spread'> & {
  readonly model: string;
  readonly segments: readonly SegmentSpec[];
};

interface Inventory {
  readonly models: readonly string[];
  /** Profiles of slots by GPU model. */
  readonly profiles: ReadonlyMap<string, ReadonlySet<string>>;
  readonly rooms: Map<string, readonly EmptyRoom[]>;
  /** By model: undivided GPUs of the node that has most. */
  readonly largestNodes: ReadonlyMap<string, number>;
}

/** Shapes that are remembered: a million different ones must not fill the memory. */
const shapesMax = 1_000;

/** By depth: the first is the outermost level's, the last the best node's. */
export function emptyRoom(state: StateView, levels: Levels, shape: EmptyShape): readonly EmptyRoom[] {
  const { rooms } = inventoryOf(state);
  const key = keyOf(shape);
  const known = rooms.get(key);
  if (known !== undefined) return known;
  if (rooms.size >= shapesMax) rooms.clear();
  const room = measure(state, levels, shape);
  rooms.set(key, room);
  return room;
}

/** Profiles of the slots that any node has on GPUs of these models (none given: of all), sorted. */
export function profilesPresent(state: StateView, models: readonly string[]): readonly string[] {
  const found = [...inventoryOf(state).profiles].flatMap(([model, profiles]) =>
    models.length === 0 || models.includes(model) ? [...profiles] : [],
  );
  return [...new Set(found)].sort();
}

function keyOf({ model, gpusPerWorker, gpuShareMilli, gpuProfile, segments, spread }: EmptyShape): string {
  const divided = segments.length === 0 && spread === null ? '' : JSON.stringify([segments, spread]);
  return `${gpusPerWorker} ${gpuShareMilli} ${gpuProfile ?? ''} ${divided} ${model}`;
}

/** GPUs of the model that are not divided into slots, on the node that has most of them, sick or not. */
export const largestNode = (state: StateView, model: string): number => inventoryOf(state).largestNodes.get(model) ?? 0;

/** GPU models that any node has, sorted. */
export const modelsPresent = (state: StateView): readonly string[] => inventoryOf(state).models;

const inventoryOf = perTopology((state): Inventory => {
  const largestNodes = new Map<string, number>();
  const profiles = new Map<string, Set<string>>();
  for (const { inventory } of state.nodes.values()) {
    const counts = new Map<string, number>();
    for (const { model, slots = [] } of inventory.gpus) {
      const known = profiles.get(model) ?? new Set<string>();
      for (const { profile } of slots) known.add(profile);
      profiles.set(model, known);
      counts.set(model, (counts.get(model) ?? 0) + (slots.length === 0 ? 1 : 0));
    }
    for (const [model, gpus] of counts) largestNodes.set(model, Math.max(gpus, largestNodes.get(model) ?? 0));
  }
  return { models: [...profiles.keys()].sort(), profiles, rooms: new Map(), largestNodes };
});

function measure(state: StateView, levels: Levels, shape: EmptyShape): readonly EmptyRoom[] {
  let domains = [...state.nodes.values()].map((node) => ({
    path: [...node.inventory.path, node.name],
    workers: workersOf(node, shape),
  }));
  const rooms: EmptyRoom[] = [];
  for (let depth = levels.length; depth >= 1; depth -= 1) {
    const merged = new Map<string, (typeof domains)[number]>();
    for (const { path, workers } of domains) {
      const key = domainKey(path, depth);
      merged.set(key, { path, workers: (merged.get(key)?.workers ?? 0) + workers });
    }
    let best: EmptyRoom = { raw: 0, workers: 0 };
    domains = [...merged.values()].map(({ path, workers: raw }) => {
      const workers = cut(raw, levels[depth - 1] ?? '', shape);
      best = { raw: Math.max(best.raw, raw), workers: Math.max(best.workers, workers) };
      return { path, workers };
    });
    rooms.unshift(best);
  }
  return rooms;
}

function workersOf(node: NodeView, { model, gpusPerWorker, gpuShareMilli, gpuProfile }: EmptyShape): number {
  let [gpus, slots] = [0, 0];
  for (const gpu of node.inventory.gpus) {
    if (gpu.model !== model) continue;
    if (gpu.slots === undefined) gpus += 1;
    else for (const { profile } of gpu.slots) if (profile === gpuProfile) slots += 1;
  }
  if (gpuProfile !== null) return slots;
  return gpuShareMilli === null ? Math.floor(gpus / gpusPerWorker) : gpus * Math.floor(gpuMilliPerGpu / gpuShareMilli);
}

function cut(raw: number, level: string, { segments, spread }: EmptyShape): number {
  const spreadOut = spread?.level === level ? Math.min(raw, spread.max) : raw;
  const size = segments.find((segment) => segment.level === level)?.workers ?? 1;
  return Math.floor(spreadOut / size) * size;
}
