/**
 * What the CLI adds to the start of bare Node: `shoal version --client` against `node -e 0`, in turn, medians.
 *   node bench/cliStart.ts [runs]
 */
import { spawnSync } from 'node:child_process';
import { quantile } from './controllerProcess.ts';
import { printMachine } from './machine.ts';

const runs = Number(process.argv[2] ?? 25);
const shoal = new URL('../bin/shoal', import.meta.url).pathname;
const bare: number[] = [];
const cli: number[] = [];

function time(command: string, words: readonly string[]): number {
  const startMs = performance.now();
  const { status } = spawnSync(command, words, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
  return performance.now() - startMs;
}

// The first runs fill the compile cache.
for (let run = -3; run < runs; run += 1) {
  const [bareMs, cliMs] = [time(process.execPath, ['-e', '0']), time(shoal, ['version', '--client'])];
  if (run >= 0) {
    bare.push(bareMs);
    cli.push(cliMs);
  }
}
printMachine();
console.log(
  `bare node ${quantile(bare, 0.5).toFixed(0)} ms, shoal version --client ${quantile(cli, 0.5).toFixed(0)} ms: + ${(quantile(cli, 0.5) - quantile(bare, 0.5)).toFixed(0)} ms (medians of ${runs})`,
);
