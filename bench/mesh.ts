/**
 * Meshes on a cluster in the middle of its life: how long the scheduler thinks, and what it saves.
 *   node bench/mesh.ts [time|cost]…
 * The core alone, in this process. Costs are predictions of the scheduler's own model (docs/concepts/mesh.md), so they compare placements
 * and are no measurement of a network.
 */
import { measureCost } from './mesh/cost.ts';
import { measureTime } from './mesh/time.ts';
import { cpuLoopMs, printMachine } from './machine.ts';

const subjects: readonly (readonly [name: string, measure: () => void])[] = [
  ['time', measureTime],
  ['cost', measureCost],
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
