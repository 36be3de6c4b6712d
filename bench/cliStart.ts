/**
 * What the CLI adds to the start of bare Node: `shoal version --client` against `node -e 0`, in turn. The figure is the
 * median of the differences of neighbours, so that a machine that is slow for a while is slow for both.
 *   node bench/cliStart.ts [pairs]
 */
import { spawnSync } from 'node:child_process';
import { quantile } from './controllerProcess.ts';
import { printMachine } from './machine.ts';

const pairs = Number(process.argv[2] ?? 25);
const shoal = new URL('../bin/shoal', import.meta.url).pathname;
const bare: number[] = [];
const cli: number[] = [];

function time(command: string, words: readonly string[]): number {
  const startMs = performance.now();
  const { status } = spawnSync(command, words, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
  return performance.now() - startMs;
}

function spread(values: readonly number[]): string {
  const [low, middle, high] = [0.1, 0.5, 0.9].map((share) => quantile(values, share).toFixed(0));
  return `${middle} ms (${low} to ${high})`;
}

// The first runs fill the compile cache.
for (let run = -3; run < pairs; run += 1) {
  const [bareMs, cliMs] = [time(process.execPath, ['-e', '0']), time(shoal, ['version', '--client'])];
  if (run >= 0) {
    bare.push(bareMs);
    cli.push(cliMs);
  }
}
const added = cli.map((ms, run) => ms - (bare[run] ?? 0));
printMachine();
console.log(`${pairs} pairs, median (10th to 90th percentile)`);
console.log(`bare node               ${spread(bare)}`);
console.log(`shoal version --client  ${spread(cli)}`);
console.log(`added                 + ${spread(added)}, times ${(quantile(cli, 0.5) / quantile(bare, 0.5)).toFixed(2)}`);
