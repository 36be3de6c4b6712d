/**
 * The scheduling core beside the figures that others publish.
 *   node bench/schedule.ts [fill|gangs|verdict|reclaim|victims|decide|backfill|growth|why]…
 * Ours are of the core alone, in this process: no API, no store, no agents. Where a peer's figure includes an API server
 * the row says so; bench/submit.ts measures ours through the API and the durable store.
 */
import { cpuLoopMs, printMachine } from './machine.ts';
import { measureBackfill } from './schedule/backfill.ts';
import { measureDecide } from './schedule/decide.ts';
import { measureFill } from './schedule/fill.ts';
import { measureGangs } from './schedule/gangs.ts';
import { measureGrowth } from './schedule/growth.ts';
import { measureReclaim, measureVictims } from './schedule/reclaim.ts';
import { measureVerdict } from './schedule/verdict.ts';
import { measureWhy } from './schedule/why.ts';

const subjects: readonly (readonly [name: string, measure: () => void])[] = [
  ['fill', measureFill],
  ['gangs', measureGangs],
  ['verdict', measureVerdict],
  ['reclaim', measureReclaim],
  ['victims', measureVictims],
  ['decide', measureDecide],
  ['growth', measureGrowth],
  ['backfill', measureBackfill],
  ['why', measureWhy],
];

function main(): void {
  const asked = process.argv.slice(2);
  const names = subjects.map(([name]) => name);
  for (const word of asked) if (!names.includes(word)) throw new Error(`"${word}" is none of ${names.join(', ')}`);
  printMachine();
  for (const [name, measure] of subjects) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`${name}   (fixed loop now: ${cpuLoopMs().toFixed(0)} ms)`);
    measure();
    console.log('');
  }
}

main();
