/**
 * How long gangs wait for a hole with and without moves of running jobs, in the simulator (the controller's own core).
 *   node bench/moves.ts [seed…]
 * Two days of jobs of 1 to 32 GPUs on 16 nodes of 8, drawn from the seed: arrivals without memory, work lognormal with a
 * median of half an hour. All of one rank, so that nobody may displace anybody.
 */
import { parseScenario } from '#sim/scenario/parseScenario.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import type { Report, WorkloadReport } from '#sim/report/report.ts';
import { makeReport } from '#sim/report/report.ts';
import { playScenario } from '#sim/world/playScenario.ts';

const nodes = 16;
const gpusPerNode = 8;
const hours = 48;
/** Of the GPUs' time, what the jobs that come ask for in the long run. */
const load = 0.85;
/** Workers, GPUs of each, share of the jobs. */
const shapes = [
  [1, 1, 0.4],
  [1, 2, 0.2],
  [1, 4, 0.15],
  [1, 8, 0.17],
  [2, 8, 0.05],
  [4, 8, 0.03],
] as const;
const work = { medianS: 2_000, sigma: 1.1, leastS: 300, mostS: 8 * 3_600 };

function drawJob(random: Random): { readonly workers: number; readonly gpus: number; readonly workS: number } {
  let rest = random.next();
  const shape = shapes.find(([, , share]) => (rest -= share) < 0) ?? shapes[0];
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const workS = Math.min(work.mostS, Math.max(work.leastS, work.medianS * Math.exp(work.sigma * normal)));
  return { workers: shape[0], gpus: shape[1], workS: Math.round(workS) };
}

/** GPU-seconds of a job in the mean. */
function meanOf(random: Random): number {
  const draws = Array.from({ length: 20_000 }, () => drawJob(random));
  return draws.reduce((sum, { workers, gpus, workS }) => sum + workers * gpus * workS, 0) / draws.length;
}

function scenarioOf(seed: number, moveBudgetMs: number): string {
  const random = createRandom(seed);
  const perSecond = (load * nodes * gpusPerNode) / meanOf(createRandom(1));
  const timeline: unknown[] = [];
  for (let atS = 0; ; ) {
    atS += -Math.log(1 - random.next()) / perSecond;
    if (atS > hours * 3_600) break;
    const { workers, gpus, workS } = drawJob(random);
    const name = `j${timeline.length}-${workers}x${gpus}`;
    timeline.push({
      at: `${Math.round(atS)}s`,
      apply: { apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name }, spec: { workers, gpusPerWorker: gpus } },
      run: { work: `${workS}s`, step: '10s', checkpointEvery: '10m', checkpointTakes: '10s', loadTakes: '30s' },
    });
  }
  return JSON.stringify({
    apiVersion: 'shoal.dev/v1',
    kind: 'Scenario',
    metadata: { name: 'moves' },
    seed,
    cluster: { pools: [{ name: 'h', count: nodes, gpus: gpusPerNode, model: 'H100', shape: { rack: 4 } }] },
    policy: { moveBudgetMs },
    timeline,
  });
}

function play(seed: number, moveBudgetMs: number): Report {
  const parsed = parseScenario(scenarioOf(seed, moveBudgetMs), 'moves');
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return makeReport(parsed.scenario, playScenario(parsed.scenario), { timings: false });
}

const waitS = ({ submittedAt, attempts }: WorkloadReport): number =>
  (Math.min(...attempts.flatMap(({ startedAt }) => startedAt ?? [])) - submittedAt) / 1_000;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function describe({ workloads, metrics, ledger }: Report): string {
  const byShape = Map.groupBy(Object.entries(workloads), ([name]) => name.split('-').at(-1) ?? '');
  const waits = shapes.map(([workers, gpus]) => {
    const jobs = byShape.get(`${workers}x${gpus}`) ?? [];
    return mean(jobs.map(([, job]) => waitS(job)))
      .toFixed(0)
      .padStart(7);
  });
  const jobs = Object.values(workloads);
  const moves = jobs.map(({ attempts }) => attempts.filter(({ stopReasons }) => stopReasons.includes('Moved')).length);
  const completionS = mean(jobs.map(({ submittedAt, attempts }) => ((attempts.at(-1)?.endedAt ?? 0) - submittedAt) / 1_000));
  const { starting, suspending, recomputed } = ledger.categories;
  const overhead = ((Number(starting) + Number(suspending) + Number(recomputed)) / Number(ledger.capacity)) * 100;
  const sum = moves.reduce((total, one) => total + one, 0);
  return `${waits.join('')} | ${completionS.toFixed(0).padStart(6)} | ${String(sum).padStart(5)} ${String(Math.max(...moves)).padStart(4)} | ${overhead.toFixed(2)} % ${(metrics.allocation * 100).toFixed(1)} %`;
}

const seeds = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 3];
process.stdout.write(
  'mean wait in s by shape, mean completion in s, moves and most of one job, starting + suspending + recomputed, allocation\n',
);
process.stdout.write(`              ${shapes.map(([workers, gpus]) => `${workers}x${gpus}`.padStart(7)).join('')}\n`);
for (const seed of seeds) {
  process.stdout.write(`seed ${seed} without${describe(play(seed, 0))}\n`);
  process.stdout.write(`seed ${seed} with   ${describe(play(seed, 600_000))}\n`);
}
