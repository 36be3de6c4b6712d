/** What people do and what breaks, at random times; then peace, so that whatever can finish has no excuse. */
import type { Random } from '../random.ts';
import type { DrawnCluster } from './drawCluster.ts';
import type { DrawnQueues } from './drawQueues.ts';
import { drawJob } from './drawJob.ts';
import { secondsText, type Mapping, type TroubleParts, type Value } from './fuzzCase.ts';

export interface Story {
  readonly timeline: readonly Mapping[];
  readonly trouble: TroubleParts;
}

interface Cast {
  readonly cluster: DrawnCluster;
  readonly queues: DrawnQueues;
  readonly jobs: readonly string[];
  /** Trouble ends then, in seconds. */
  readonly untilS: number;
}

const users = ['ann', 'bob', 'cid'] as const;

export function drawStory(random: Random, cluster: DrawnCluster, queues: DrawnQueues): Story {
  const untilS = 60 * (random.pick([10, 20, 60, 120]) ?? 60);
  // Most clusters are crowded: where there is room for all, nobody has to wait, and nothing can go wrong.
  const jobs = Array.from({ length: 2 + random.below(random.chance(0.2) ? 40 : 16) }, (_, at) => `j${at + 1}`);
  const cast = { cluster, queues, jobs, untilS };
  const applied = jobs.map((name, at) => applyJob(random, cast, { name, others: jobs.filter((_, other) => other !== at) }));
  const wild = Array.from({ length: random.below(25) }, () => drawDeed(random, cast));
  return { timeline: inOrder([...applied, ...wild, ...makePeace(cast)]), trouble: drawTrouble(random, cast) };
}

/** Times fall together now and then: what comes in one step is a story of its own. */
function drawAt(random: Random, untilS: number): string {
  const atS = random.below(untilS);
  return secondsText(random.chance(0.5) ? 60 * Math.floor(atS / 60) : atS);
}

function applyJob(
  random: Random,
  { cluster, queues, untilS }: Cast,
  { name, others }: { readonly name: string; readonly others: readonly string[] },
): Mapping {
  const { spec, run } = drawJob(random, { cluster, queues: queues.names, others });
  const manifest = { apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name }, spec };
  return { at: drawAt(random, random.chance(0.4) ? 60 : untilS), user: random.pick(users) ?? 'ann', apply: manifest, run };
}

function drawDeed(random: Random, cast: Cast): Mapping {
  const at = drawAt(random, cast.untilS);
  const job = random.pick(cast.jobs) ?? 'j1';
  const node = `n${1 + random.below(cast.cluster.nodes.length)}`;
  const deeds: readonly (() => Mapping)[] = [
    () => ({ at, fault: drawFault(random, cast, { node, job }) }),
    () => ({ at, fault: drawFault(random, cast, { node, job }) }),
    () => ({ at, do: { verb: random.pick(['cordon', 'drain', 'uncordon']) ?? 'cordon', target: `node/${node}` } }),
    () => ({ at, user: 'bob', do: { verb: random.pick(['suspend', 'resume', 'delete']) ?? 'suspend', target: `job/${job}` } }),
    () => ({ at, do: { verb: 'priority', target: `job/${job}`, value: random.below(101) } }),
    () => changeQueue(random, cast, at),
    // Deleted before, it is a new job; else it changes, or is refused.
    () => applyJob(random, cast, { name: job, others: cast.jobs.filter((other) => other !== job) }),
    () => ({
      at,
      do: {
        verb: 'plan',
        manifest: {
          apiVersion: 'shoal.dev/v1',
          kind: 'TrainingJob',
          metadata: { name: 'what-if' },
          spec: drawJob(random, { cluster: cast.cluster, queues: cast.queues.names, others: cast.jobs }).spec,
        },
      },
    }),
  ];
  return random.pick(deeds)?.() ?? { at, do: { verb: 'uncordon', target: `node/${node}` } };
}

/** All of them mend, so that there can be peace. */
function drawFault(random: Random, { cluster }: Cast, { node, job }: { readonly node: string; readonly job: string }): Mapping {
  const length = secondsText(1 + random.below(random.chance(0.5) ? 30 : 1200));
  const hasGpus = cluster.nodes.find(({ name }) => name === node)?.['gpus'] !== 0;
  const path = random.pick(cluster.paths) ?? [];
  const faults: readonly Mapping[] = [
    { node, kind: 'node-down', for: length },
    { node, kind: 'agent-lost', for: length },
    { node, kind: 'agent-lost', for: length },
    { domain: path.slice(0, 1 + random.below(path.length)), kind: random.pick(['node-down', 'agent-lost']) ?? 'node-down', for: length },
    { node, kind: 'link-flap', for: length, times: 1 + random.below(3) },
    { node, kind: 'slow', factor: random.pick([1.5, 10]) ?? 2, for: length },
    ...(hasGpus
      ? [
          { node, kind: 'xid', code: random.pick([31, 79, 94]) ?? 79, gpu: 0 },
          { node, kind: 'gpu-lost', gpu: 0, for: length },
        ]
      : []),
    { kind: 'process-exit', job, rank: random.below(2), code: random.below(2) },
    { kind: 'hang', job },
  ];
  return random.pick(faults) ?? {};
}

function changeQueue(random: Random, { queues, cluster }: Cast, at: string): Mapping {
  const queue = random.pick(queues.queues);
  if (queue === undefined) return { at, do: { verb: 'uncordon', target: 'node/n1' } };
  const [model = 'H100'] = cluster.models;
  const changes: readonly Mapping[] = [
    { hold: true },
    { hold: false },
    { weight: random.below(5) },
    { guaranteed: {}, limit: { [model]: 1 + random.below(Math.max(1, cluster.gpus)) } },
    { limit: {}, guaranteed: { [model]: random.below(Math.max(1, cluster.gpus)) } },
  ];
  return applyQueue(at, { ...queue, ...random.pick(changes) });
}

function applyQueue(at: string, { name = '', ...spec }: Mapping): Mapping {
  return { at, apply: { apiVersion: 'shoal.dev/v1', kind: 'Queue', metadata: { name }, spec } };
}

/** The trouble is over: nodes may be used, nobody keeps a job from running, and quotas are what they were. */
function makePeace({ cluster, queues, jobs, untilS }: Cast): readonly Mapping[] {
  const at = secondsText(untilS);
  return [
    ...cluster.nodes.map(({ name = '' }) => ({ at, do: { verb: 'uncordon', target: `node/${textOf(name)}` } })),
    ...queues.queues.map((queue) => applyQueue(at, queue)),
    ...jobs.map((name) => ({ at, do: { verb: 'resume', target: `job/${name}` } })),
  ];
}

function drawTrouble(random: Random, { cluster, jobs, untilS }: Cast): TroubleParts {
  const some = (chance: number, most: number, draw: () => Mapping): readonly Mapping[] =>
    random.chance(chance) ? inOrder(Array.from({ length: 1 + random.below(most) }, draw)) : [];
  const lines = {
    ...(random.chance(0.4) ? { late: `${random.pick([50, 1000, 4000]) ?? 50}ms` } : {}),
    ...(random.chance(0.3) ? { doubled: random.pick([0.1, 0.5]) ?? 0.1 } : {}),
  };
  return {
    lines,
    controllerRestarts: some(0.4, 4, () => ({
      at: drawAt(random, untilS),
      for: secondsText(random.pick([0, 1, 5, 20, 120]) ?? 1),
      ...(random.chance(0.7) ? { afterCommit: true } : {}),
      ...(random.chance(0.5) ? { fromSnapshot: true } : {}),
    })),
    agentRestarts: some(0.4, 6, () => ({ at: drawAt(random, untilS), node: `n${1 + random.below(cluster.nodes.length)}` })),
    orders: [
      ...some(0.4, 8, () => ({
        at: drawAt(random, untilS),
        user: 'bob',
        verb: random.pick(['hold', 'release', 'next', 'next', 'delete-now']) ?? 'next',
        job: random.pick(jobs) ?? 'j1',
      })),
      ...jobs.map((job) => ({ at: secondsText(untilS), verb: 'release', job })),
    ],
  };
}

const inOrder = (entries: readonly Mapping[]): readonly Mapping[] =>
  entries
    .map((entry, index) => ({ entry, index, atS: Number.parseInt(textOf(entry['at']), 10) }))
    .sort((left, right) => left.atS - right.atS || left.index - right.index)
    .map(({ entry }) => entry);

const textOf = (value: Value | undefined): string => (typeof value === 'string' ? value : '');
