import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** Opens every bench's output: a figure means nothing without the machine that it was measured on. */
export function printMachine(): void {
  for (const [name, value] of machineFacts()) console.log(`${name.padEnd(8)} ${value}`);
  console.log('');
}

function machineFacts(): readonly (readonly [string, string])[] {
  const cores = cpus();
  return [
    ['cpu', cores[0]?.model.trim() ?? 'unknown'],
    ['cores', `${availableParallelism()} usable of ${cores.length}`],
    ['memory', `${(memoryLimitBytes() / 2 ** 30).toFixed(1)} GiB`],
    ['kernel', `${type()} ${release()}`],
    ['node', process.version],
    ['date', new Date().toISOString()],
  ];
}

/** Of the machine, or of the container (cgroup v2) where that is less. */
function memoryLimitBytes(): number {
  try {
    const limit = Number(readFileSync('/sys/fs/cgroup/memory.max', 'utf8'));
    return Number.isFinite(limit) ? Math.min(limit, totalmem()) : totalmem();
  } catch {
    return totalmem();
  }
}
