import { compileOutlook } from '#core/schedule/leftover.ts';
import type { NodeRoom, PopularShape, ShapeRequest } from '#core/schedule/fragmentation.ts';
import { fitsRoom, fragmentationMilli, gpuChoices, roomAfter, sumIdle } from '#core/schedule/fragmentation.ts';
import { FragmentationIndex } from '#core/schedule/fragmentationIndex.ts';
import { lookAtPopular, noPopularShapes, notePopular } from '#core/schedule/popularShapes.ts';
import { GoRandom } from './goRandom.ts';
import type { Placer } from './inflation.ts';
import { placeLive } from './livePlacer.ts';
import type { OpenbNode } from './openbLists.ts';
import { countShapes, typicalShapes } from './openbLists.ts';

/**
 * Policies of the inflation experiment: those of the FGD paper as its simulator has them, and Shoal's own code.
 * `shoal` knows the popularity of the list, as FGD does; `shoal-live` starts with nothing and learns from what arrives.
 * `live` is the placement code of the controller's passes, `live-tight` the same without what was asked of late.
 */
export const policies = ['random', 'firstfit', 'bestfit', 'dotprod', 'fgd', 'shoal', 'shoal-live', 'live', 'live-tight'] as const;

export type Policy = (typeof policies)[number];

export interface Ground {
  readonly nodes: readonly OpenbNode[];
  /** The list, in the order of names. */
  readonly pods: readonly ShapeRequest[];
  readonly seed: number;
}

export function openPlacer(policy: Policy, ground: Ground): Placer {
  switch (policy) {
    case 'random':
      return placeRandomly(ground);
    case 'firstfit':
      return placeByScore(ground, () => 0);
    case 'bestfit':
      return placeByScore(ground, bestFitScore);
    case 'dotprod':
      return placeByScore(ground, dotProductScore);
    case 'fgd': {
      const shapes = typicalShapes(ground.pods);
      return placeByScore(ground, (room, pod, gpus) => fgdScore(room, pod, gpus, shapes));
    }
    case 'shoal':
      return placeByIndex(ground, countShapes(ground.pods));
    case 'live':
      return placeLive(ground.nodes, { learns: true });
    case 'live-tight':
      return placeLive(ground.nodes, { learns: false });
    case 'shoal-live':
      return placeLearning(ground);
  }
}

/** Greater is better; compared as integers, ties go to the first node by name and the tightest GPU. */
type Score = (room: NodeRoom, pod: ShapeRequest, gpus: readonly number[]) => number;

interface Verdict {
  readonly version: number;
  readonly score: number;
  /** Null: does not fit. */
  readonly gpus: readonly number[] | null;
}

function placeByScore({ nodes }: Ground, score: Score): Placer {
  const rooms = nodes.map((node) => node.room);
  const versions = nodes.map(() => 0);
  const verdicts = new Map<ShapeRequest, (Verdict | undefined)[]>();
  return (pod) => {
    const known = verdicts.get(pod) ?? new Array<Verdict | undefined>(nodes.length);
    verdicts.set(pod, known);
    let best = -1;
    let bestVerdict: Verdict | null = null;
    rooms.forEach((room, index) => {
      const version = versions[index] ?? 0;
      let verdict = known[index];
      if (verdict?.version !== version) {
        verdict = { version, ...judge(room, pod, score) };
        known[index] = verdict;
      }
      if (verdict.gpus === null || (bestVerdict !== null && bestVerdict.score >= verdict.score)) return;
      [best, bestVerdict] = [index, verdict];
    });
    return take(rooms, versions, pod, best, known[best]?.gpus ?? null);
  };
}

function take(rooms: NodeRoom[], versions: number[], pod: ShapeRequest, index: number, gpus: readonly number[] | null): boolean {
  const room = rooms[index];
  if (room === undefined || gpus === null) return false;
  rooms[index] = roomAfter(room, pod, gpus);
  versions[index] = (versions[index] ?? 0) + 1;
  return true;
}

function judge(room: NodeRoom, pod: ShapeRequest, score: Score): { readonly score: number; readonly gpus: readonly number[] | null } {
  let best = -1;
  let chosen: readonly number[] | null = null;
  for (const gpus of gpuChoices(room, pod)) {
    const points = Math.floor(score(room, pod, gpus));
    if (chosen !== null && points <= best) continue;
    best = points;
    chosen = gpus;
  }
  return { score: best, gpus: chosen };
}

const cpuMilliMax = 128_000;
const gpuMilliMax = 8_000;

function bestFitScore(room: NodeRoom, pod: ShapeRequest): number {
  const cpu = (room.cpuMilliFree - pod.cpuMilli) / cpuMilliMax;
  const gpu = (sumIdle(room) - pod.gpus * pod.gpuMilli) / gpuMilliMax;
  return 100 * (1 - 0.5 * cpu - 0.5 * gpu);
}

function dotProductScore(room: NodeRoom, pod: ShapeRequest): number {
  const cpu = (room.cpuMilliFree * pod.cpuMilli) / cpuMilliMax ** 2;
  const gpu = (sumIdle(room) * pod.gpus * pod.gpuMilli) / gpuMilliMax ** 2;
  return 100 * (1 - (cpu + gpu) / 2);
}

function fgdScore(room: NodeRoom, pod: ShapeRequest, gpus: readonly number[], shapes: readonly PopularShape[]): number {
  const less = fragmentationMilli(room, shapes) - fragmentationMilli(roomAfter(room, pod, gpus), shapes);
  return 100 / (1 + Math.exp(-less / 1000));
}

function placeRandomly({ nodes, seed }: Ground): Placer {
  const random = new GoRandom(seed);
  const rooms = nodes.map((node) => node.room);
  const versions = nodes.map(() => 0);
  return (pod) => {
    const feasible = [...rooms.keys()].filter((index) => fits(rooms[index], pod));
    const index = feasible.length === 0 ? -1 : (feasible[random.intn(feasible.length)] ?? -1);
    const room = rooms[index];
    const sets = room === undefined ? [] : gpuChoices(room, pod);
    return take(rooms, versions, pod, index, sets.length === 0 ? null : (sets[random.intn(sets.length)] ?? null));
  };
}

function fits(room: NodeRoom | undefined, pod: ShapeRequest): boolean {
  return room !== undefined && fitsRoom(room, pod);
}

function placeByIndex({ nodes }: Ground, shapes: readonly PopularShape[]): Placer {
  return placeWith(new FragmentationIndex(compileOutlook(shapes)), nodes);
}

function placeLearning({ nodes }: Ground): Placer {
  const popular = noPopularShapes();
  let known = popular.shapes;
  const index = new FragmentationIndex(compileOutlook(known));
  const place = placeWith(index, nodes);
  return (pod) => {
    notePopular(popular, pod);
    lookAtPopular(popular);
    if (popular.shapes !== known) index.setOutlook(compileOutlook(popular.shapes));
    known = popular.shapes;
    return place(pod);
  };
}

function placeWith(index: FragmentationIndex, nodes: readonly OpenbNode[]): Placer {
  const rooms = new Map(nodes.map(({ name, room }) => [name, room]));
  for (const { name, room } of nodes) index.set(name, room);
  return (pod) => {
    const choice = index.choose(pod);
    const room = choice === null ? undefined : rooms.get(choice.node);
    if (choice === null || room === undefined) return false;
    const after = roomAfter(room, pod, choice.gpus);
    rooms.set(choice.node, after);
    index.set(choice.node, after);
    return true;
  };
}
