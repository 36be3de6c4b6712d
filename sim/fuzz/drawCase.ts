import { createRandom, seedOf, type Random } from '../random.ts';
import { drawCluster } from './drawCluster.ts';
import { drawQueues } from './drawQueues.ts';
import { drawStory } from './drawTimeline.ts';
import type { FuzzCase, Mapping } from './fuzzCase.ts';

/** The scenario of a seed: always the same one. A stream of chance for each part, so that a change of one leaves the others as they were. */
export function drawCase(seed: number): FuzzCase {
  const streamOf = (part: string): Random => createRandom(seedOf(`${seed}/${part}`));
  const cluster = drawCluster(streamOf('cluster'));
  const queues = drawQueues(streamOf('queues'), cluster);
  const { timeline, trouble } = drawStory(streamOf('story'), cluster, queues);
  return {
    seed,
    cluster: cluster.fields,
    nodes: cluster.nodes,
    queues: queues.queues,
    policy: drawPolicy(streamOf('policy'), cluster.levels),
    timeline,
    trouble,
  };
}

/** Settings that bring within minutes what takes hours or days by default, and bounds so tight that they are met. */
const settings: readonly ((random: Random, levels: readonly string[]) => Mapping)[] = [
  () => ({ timeSlicing: false }),
  (random) => ({ attainedLevels: { firstMs: random.pick([30_000, 300_000]) ?? 30_000 } }),
  (random) => ({ overdueAfterMs: random.pick([60_000, 600_000]) ?? 60_000 }),
  (random) => ({ overdueRunMs: random.pick([10_000, 300_000]) ?? 10_000 }),
  (random) => ({ restartCostMs: random.pick([1_000, 20_000]) ?? 1_000 }),
  () => ({ victimSearchesPerPassMax: 0 }),
  (random) => ({ moveBudgetMs: random.pick([0, 60_000, 3_600_000]) ?? 0 }),
  () => ({ moveSearchesPerPassMax: 0 }),
  (random) => ({ movesPerPlanMax: 1 + random.below(3) }),
  (random) => ({ reservationsPerQueue: random.pick([0, 2, 50]) ?? 0 }),
  (random) => ({ reservationsMax: 1 + random.below(3) }),
  (random) => ({ targetAfterMs: random.pick([10_000, 300_000]) ?? 10_000, targetGpusMin: 1 + random.below(4) }),
  (random) => ({ targetsMax: random.below(3) }),
  (random) => ({ placementsPerStepMax: 1 + random.below(3) }),
  (random) => ({ finishedJobsMax: random.below(5) }),
  (random) => ({ recentEventsMax: random.pick([1, 20]) ?? 20 }),
  (random) => ({ failureGraceMs: random.pick([0, 30_000]) ?? 0 }),
  (random) => ({ progressRecordMs: random.pick([0, 60_000]) ?? 0 }),
  (random) => ({ suspendMarginMs: random.pick([0, 20_000]) ?? 0 }),
  (random) => ({ avoidFailedMs: random.pick([0, 60_000]) ?? 0 }),
  () => ({ crossZoneJobsMax: 1 }),
  (random, levels) => ({
    spares: { level: random.pick(levels) ?? '', nodes: random.below(2), graceMs: random.pick([1_000, 60_000]) ?? 1_000 },
  }),
  (random) => ({ defrag: { everyMs: random.pick([60_000, 600_000]) ?? 60_000, movesMax: 1 + random.below(4), gainGpusMin: 1 } }),
  (random) => ({ coordinatorPorts: { first: 24_000, count: random.pick([1, 3]) ?? 3 } }),
];

/** A pass that runs out of searches leaves something for the next one to decide, which is no broken promise: so none does. */
const searches: Mapping = { victimSearchesPerPassMax: 1_000, moveSearchesPerPassMax: 1_000 };

function drawPolicy(random: Random, levels: readonly string[]): Mapping {
  const chance = random.pick([0, 0.1, 0.3]) ?? 0;
  return Object.fromEntries([
    ...Object.entries(searches),
    ...settings.filter(() => random.chance(chance)).flatMap((draw) => Object.entries(draw(random, levels))),
  ]);
}
