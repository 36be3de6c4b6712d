/**
 * Kueue's three scheduling performance tests on our core.
 *   node bench/kueue.ts [baseline|large-scale|tas]…
 * kueue/setups.ts says what became of what, kueue/playSetup.ts how time is counted. Ends with 1 when a threshold is missed.
 *
 * Ours is `step()` alone: admission, fair order, quota, a place on named GPUs, the reports of workers that start and end,
 * evictions, ledger. Theirs is a real API server with etcd, through which its scheduler and its runner write; its client
 * may send 50 requests a second (test/performance/scheduler/minimalkueue/main.go), which is near the 37 to 43 workloads
 * a second that its runs come to. bench/submit.ts measures ours through API and durable store.
 */
import { printPlayed } from './kueue/printPlayed.ts';
import { playSetup } from './kueue/playSetup.ts';
import { setups } from './kueue/setups.ts';
import { cpuLoopMs, printMachine } from './machine.ts';

function main(): void {
  const asked = process.argv.slice(2);
  const names = setups.map(({ name }) => name);
  for (const word of asked) if (!names.includes(word)) throw new Error(`"${word}" is none of ${names.join(', ')}`);
  printMachine();
  let missed = 0;
  for (const setup of setups) {
    if (asked.length > 0 && !asked.includes(setup.name)) continue;
    for (const clock of ['free', 'paid'] as const) {
      console.log(`${setup.name}, steps that are ${clock}   (fixed loop now: ${cpuLoopMs().toFixed(0)} ms)`);
      missed += printPlayed(setup, playSetup(setup, clock));
      console.log('');
    }
  }
  console.log(missed === 0 ? 'every threshold met' : `${missed} missed`);
  process.exitCode = missed === 0 ? 0 : 1;
}

main();
