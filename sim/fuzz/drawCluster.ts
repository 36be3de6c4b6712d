import type { Random } from '../random.ts';
import { secondsText, type Mapping } from './fuzzCase.ts';

export interface DrawnCluster {
  readonly fields: Mapping;
  readonly nodes: readonly Mapping[];
  /** Levels above the node, outermost first. */
  readonly levels: readonly string[];
  readonly models: readonly string[];
  readonly profiles: readonly string[];
  readonly gpusMax: number;
  readonly gpus: number;
  /** Paths of all nodes. */
  readonly paths: readonly (readonly string[])[];
}

const shapes = [
  ['zone', 'block', 'rack'],
  ['zone', 'block', 'rack'],
  ['rack'],
  ['zone', 'rack'],
  ['hall', 'row', 'rack', 'shelf'],
] as const;

const divisions = [{ '1g.10gb': 7 }, { '3g.40gb': 2 }, { '2g.20gb': 3 }] as const satisfies readonly Mapping[];

/** A small cluster: what goes wrong in a large one goes wrong in one of these, where it can be read. */
export function drawCluster(random: Random): DrawnCluster {
  const levels: readonly string[] = random.pick(shapes) ?? [];
  const models = random.chance(0.25) ? ['H100', 'A100'] : ['H100'];
  const usual = random.pick([8, 4, 4, 2]) ?? 4;
  const division: Mapping | undefined = random.chance(0.2) ? random.pick(divisions) : undefined;
  const isBounded = random.chance(0.3);
  const nodes = Array.from({ length: 1 + random.below(random.chance(0.15) ? 12 : 5) }, (_, at) =>
    drawNode(random, { name: `n${at + 1}`, levels, models, usual, division, isBounded }),
  );
  return {
    fields: {
      ...(levels.join() === 'zone,block,rack' ? {} : { levels: [...levels, 'node'] }),
      ...(random.chance(0.3) ? { nvlink: { size: random.pick([1, 2, 4]) ?? 2 } } : {}),
      timings: drawTimings(random),
      ...(random.chance(0.15)
        ? { failures: { perThousandNodeDays: random.pick([2_000, 20_000]) ?? 0, meanRepair: { soft: '2m', hard: '20m' } } }
        : {}),
    },
    nodes: nodes.map(({ mapping }) => mapping),
    levels,
    models: [...new Set(nodes.filter(({ gpus }) => gpus > 0).map(({ model }) => model))],
    profiles: division === undefined || !nodes.some(({ isDivided }) => isDivided) ? [] : Object.keys(division),
    gpusMax: Math.max(1, ...nodes.map(({ gpus }) => gpus)),
    gpus: nodes.reduce((sum, { gpus }) => sum + gpus, 0),
    paths: nodes.map(({ path }) => path),
  };
}

interface NodeParts {
  readonly name: string;
  readonly levels: readonly string[];
  readonly models: readonly string[];
  readonly usual: number;
  readonly division: Mapping | undefined;
  readonly isBounded: boolean;
}

function drawNode(
  random: Random,
  { name, levels, models, usual, division, isBounded }: NodeParts,
): {
  readonly mapping: Mapping;
  readonly path: readonly string[];
  readonly gpus: number;
  readonly model: string;
  readonly isDivided: boolean;
} {
  const path = levels.map((level) => `${level.slice(0, 1)}${1 + random.below(2)}`);
  const gpus = random.chance(0.1) ? (random.pick([0, 1, 2, 8]) ?? 0) : usual;
  const model = random.pick(models) ?? 'H100';
  const isDivided = division !== undefined && gpus > 0 && random.chance(0.5);
  const mapping = {
    name,
    path,
    gpus,
    model,
    ...(isDivided ? { slots: division } : {}),
    ...(isBounded ? { cpu: random.pick(['8', '32']) ?? '8', memory: random.pick(['64Gi', '256Gi']) ?? '64Gi' } : {}),
    ...(random.chance(0.1) ? { spare: true } : {}),
  };
  return { mapping, path, gpus, model, isDivided };
}

function drawTimings(random: Random): Mapping {
  const seconds = (...of: readonly number[]): string => secondsText(random.pick(of) ?? 1);
  return {
    launch: seconds(0, 1, 5, 20),
    stop: seconds(0, 1, 2, 10),
    heartbeat: seconds(1, 5),
    lost: seconds(10, 20, 30),
    reset: seconds(1, 60),
    reboot: seconds(30, 300),
  };
}
