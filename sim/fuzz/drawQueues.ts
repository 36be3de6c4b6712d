import type { Random } from '../random.ts';
import type { DrawnCluster } from './drawCluster.ts';
import type { Mapping } from './fuzzCase.ts';

export interface DrawnQueues {
  /** Empty: the one that is there anyway. */
  readonly queues: readonly Mapping[];
  readonly names: readonly string[];
}

/** Up to two roots with queues below them. Guarantees stand at the leaves, and limits are never below them: others are refused. */
export function drawQueues(random: Random, cluster: DrawnCluster): DrawnQueues {
  if (random.chance(0.25)) return { queues: [], names: ['default'] };
  const roots = Array.from({ length: 1 + random.below(3) }, (_, at) => `q${at + 1}`);
  const queues = roots.flatMap((name) => {
    const children = random.chance(0.4) ? Array.from({ length: 1 + random.below(2) }, (_, at) => `${name}-${at + 1}`) : [];
    if (children.length === 0) return [drawQueue(random, cluster, { name, isLeaf: true })];
    return [
      drawQueue(random, cluster, { name, isLeaf: false }),
      ...children.map((child) => drawQueue(random, cluster, { name: child, parent: name, isLeaf: true })),
    ];
  });
  return { queues, names: queues.flatMap(({ name }) => (typeof name === 'string' ? [name] : [])) };
}

interface QueueParts {
  readonly name: string;
  readonly parent?: string;
  readonly isLeaf: boolean;
}

function drawQueue(random: Random, { models, gpus }: DrawnCluster, { name, parent, isLeaf }: QueueParts): Mapping {
  const [model = 'H100'] = models;
  const guaranteed = isLeaf && random.chance(0.4) ? Math.floor((gpus * (1 + random.below(3))) / 8) : 0;
  const atLeast = isLeaf ? guaranteed : gpus;
  return {
    name,
    ...(parent === undefined ? {} : { parent }),
    ...(guaranteed > 0 ? { guaranteed: { [model]: guaranteed } } : {}),
    ...(random.chance(0.3) ? { limit: { [model]: atLeast + 1 + random.below(Math.max(1, gpus)) } } : {}),
    ...(random.chance(0.4) ? { weight: random.pick([0, 1, 2, 5, 0.5]) ?? 1 } : {}),
    ...(random.chance(0.3) ? { halfLife: random.pick(['10m', '1h', '7d']) ?? '1h' } : {}),
    ...(random.chance(0.15) ? { class: 'serving' } : {}),
    ...(random.chance(0.2) ? { perUser: drawPerUser(random, model, gpus) } : {}),
  };
}

function drawPerUser(random: Random, model: string, gpus: number): Mapping {
  return random.chance(0.5) ? { maxRunning: 1 + random.below(3) } : { limit: { [model]: 1 + random.below(Math.max(1, gpus)) } };
}
