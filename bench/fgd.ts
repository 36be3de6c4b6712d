/**
 * Unallocated GPUs when ever more pods ask for 130 % of a cluster of 1,213 nodes (the FGD paper's inflation experiment).
 *   node bench/fgd.ts [mix|all] [--seeds 42..51] [--policies fgd,shoal]
 * Beside each figure of ours is the paper's own, from its artifact (mean of seeds 42-51).
 */
import { parseArgs } from 'node:util';
import { capacityMilliOf, inflationOrder, runInflation } from '../sim/fgd/inflation.ts';
import type { Mix } from '../sim/fgd/openbLists.ts';
import { mixes, readNodes, readPods } from '../sim/fgd/openbLists.ts';
import type { Policy } from '../sim/fgd/policies.ts';
import { openPlacer, policies } from '../sim/fgd/policies.ts';
import { printMachine } from './machine.ts';

const published: Partial<Record<Policy, Readonly<Record<Mix, number>>>> = {
  random: row([12.53, 8.76, 10.89, 16.23, 14.0, 16.35, 12.57, 12.76, 11.31, 10.73]),
  bestfit: row([6.92, 6.21, 6.56, 7.6, 8.31, 10.64, 6.7, 6.7, 6.07, 5.28]),
  dotprod: row([9.15, 6.73, 8.05, 12.3, 10.44, 12.89, 9.61, 10.03, 7.94, 6.72]),
  fgd: row([4.61, 4.79, 4.65, 4.95, 5.85, 8.6, 5.05, 5.16, 4.35, 3.54]),
};

function row(figures: readonly number[]): Readonly<Record<Mix, number>> {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0] = figures;
  return {
    default: a,
    cpu050: b,
    cpu100: c,
    cpu200: d,
    gpushare40: e,
    gpushare60: f,
    gpuspec10: g,
    gpuspec20: h,
    multigpu20: i,
    multigpu30: j,
  };
}

function parseSeeds(text: string): readonly number[] {
  const [, from, to] = /^(\d+)(?:[.][.](\d+))?$/.exec(text) ?? [];
  if (from === undefined) throw new Error(`--seeds: "${text}" is neither a number nor a range such as 42..51`);
  const first = Number(from);
  const last = Number(to ?? from);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

function measure(mix: Mix, policy: Policy, seeds: readonly number[]): string {
  const nodes = readNodes();
  const pods = readPods(mix);
  const capacityMilli = capacityMilliOf(nodes);
  const startMs = performance.now();
  const figures = seeds.map((seed) => {
    const order = inflationOrder(pods, capacityMilli, seed);
    return runInflation(order, capacityMilli, openPlacer(policy, { nodes, pods, seed })).unallocatedPercent;
  });
  const seconds = (performance.now() - startMs) / 1000 / seeds.length;
  const mean = figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
  const spread = Math.sqrt(figures.reduce((sum, figure) => sum + (figure - mean) ** 2, 0) / figures.length);
  const paper = published[policy]?.[mix].toFixed(2) ?? '-';
  return `${mix.padEnd(12)}${policy.padEnd(12)}${mean.toFixed(2).padStart(8)}${spread.toFixed(2).padStart(8)}${paper.padStart(11)}${seconds.toFixed(2).padStart(10)}`;
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seeds: { type: 'string', default: '42..51' }, policies: { type: 'string', default: policies.join(',') } },
  });
  const asked = positionals[0] ?? 'default';
  const chosenMixes = mixes.filter((mix) => asked === 'all' || asked === mix);
  if (chosenMixes.length === 0) throw new Error(`"${asked}" is no mix: all, ${mixes.join(', ')}`);
  const names = values.policies.split(',');
  for (const name of names) {
    if (!policies.some((policy) => policy === name)) throw new Error(`--policies: "${name}" is none of ${policies.join(', ')}`);
  }
  const seeds = parseSeeds(values.seeds);
  printMachine();
  console.log(`unallocated GPUs at a demand of 130 %, in percent; mean and standard deviation of ${seeds.length} seeds`);
  console.log(
    `${'mix'.padEnd(12)}${'policy'.padEnd(12)}${'mean'.padStart(8)}${'sd'.padStart(8)}${'published'.padStart(11)}${'s a run'.padStart(10)}`,
  );
  for (const mix of chosenMixes) {
    for (const policy of policies) if (names.includes(policy)) console.log(measure(mix, policy, seeds));
  }
}

main();
