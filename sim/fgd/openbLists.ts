import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { NodeRoom, PopularShape, ShapeRequest } from '#core/schedule/fragmentation.ts';
import { shapeKey } from '#core/schedule/popularShapes.ts';

/** The nodes and pods of the FGD paper (`openb/README.md`). */
export const mixes = [
  'default',
  'cpu050',
  'cpu100',
  'cpu200',
  'gpushare40',
  'gpushare60',
  'gpuspec10',
  'gpuspec20',
  'multigpu20',
  'multigpu30',
] as const;

export type Mix = (typeof mixes)[number];

export interface OpenbNode {
  readonly name: string;
  readonly room: NodeRoom;
}

/** Sorted by name. */
export function readNodes(): readonly OpenbNode[] {
  return readRows('nodes').map(([name = '', cpu, memory, gpus, model = '']) => ({
    name,
    room: {
      cpuMilliFree: Number(cpu),
      memoryBytesFree: mebibytes(memory),
      model,
      gpuMilliFree: Array.from({ length: Number(gpus) }, () => 1000),
    },
  }));
}

/** In the order of their names; equal pods are the same object. */
export function readPods(mix: Mix): readonly ShapeRequest[] {
  const known = new Map<string, ShapeRequest>();
  return readRows(`pods-${mix}`).map(([cpu, memory, count, milli, models = '']) => {
    const gpus = Number(count);
    const pod = {
      cpuMilli: Number(cpu),
      memoryBytes: mebibytes(memory),
      gpus,
      gpuMilli: gpus === 0 ? 0 : Number(milli),
      models: models === '' ? [] : models.split('|'),
    };
    const same = known.get(shapeKey(pod));
    if (same !== undefined) return same;
    known.set(shapeKey(pod), pod);
    return pod;
  });
}

/** Each shape of the list with its number of pods, the most frequent first, then as in the list. */
export function countShapes(pods: readonly ShapeRequest[]): readonly PopularShape[] {
  const counts = new Map<ShapeRequest, number>();
  for (const pod of pods) counts.set(pod, (counts.get(pod) ?? 0) + 1);
  return [...counts].map(([shape, weight]) => ({ ...shape, weight })).sort((one, other) => other.weight - one.weight);
}

/** The paper's typical pods: the most frequent shapes, memory aside, that make up 95 % of the pods. */
export function typicalShapes(pods: readonly ShapeRequest[]): readonly PopularShape[] {
  const merged = new Map<string, PopularShape>();
  for (const shape of countShapes(pods)) {
    const key = shapeKey({ ...shape, memoryBytes: 0 });
    merged.set(key, { ...shape, memoryBytes: 0, weight: shape.weight + (merged.get(key)?.weight ?? 0) });
  }
  const typical: PopularShape[] = [];
  let covered = 0;
  for (const shape of [...merged.values()].sort((one, other) => other.weight - one.weight)) {
    if (covered >= 0.95 * pods.length) break;
    typical.push(shape);
    covered += shape.weight;
  }
  return typical;
}

function readRows(name: string): readonly (readonly string[])[] {
  const text = gunzipSync(readFileSync(new URL(`openb/${name}.csv.gz`, import.meta.url))).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
}

function mebibytes(text: string | undefined): number {
  return Number(text) * 2 ** 20;
}
