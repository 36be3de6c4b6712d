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
    ['loop', `${cpuLoopMs().toFixed(0)} ms for the fixed loop (compare with other runs)`],
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

/**
 * Milliseconds of a fixed piece of work on one core, best of three: how fast the machine is at this moment, to hold next to a
 * figure. About 50 ms on the EPYC core of 2026 where it was written, with nothing else to do; more means a slower core, or one shared with others.
 */
export function cpuLoopMs(): number {
  return Math.min(...[0, 0, 0].map(timeLoopMs));
}

function timeLoopMs(): number {
  const startMs = performance.now();
  let bits = 1;
  for (let turn = 0; turn < 30_000_000; turn += 1) {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
  }
  // Never true (xorshift does not reach 0), but the compiler does not know: the loop stays.
  if (bits === 0) throw new Error('xorshift reached 0');
  return performance.now() - startMs;
}

/** What the machine's cores did between two moments, in cores: `others` is work of processes that are not ours. */
export interface CoresUsed {
  readonly seconds: number;
  /** In the order in which their processes were given. */
  readonly ours: readonly number[];
  readonly others: number;
  /** Taken by the host for other machines: wanted here, not got. */
  readonly stolen: number;
}

/** Watches the cores (Linux) until the function that it returns is called; `pids` are ours. */
export function watchCores(pids: readonly number[]): () => CoresUsed {
  const before = { atMs: performance.now(), all: coreTicks(), ours: pids.map(ticksOf) };
  return () => {
    const ticks = (performance.now() - before.atMs) / 10;
    const all = coreTicks();
    const ours = pids.map((pid, index) => (ticksOf(pid) - (before.ours[index] ?? 0)) / ticks);
    const busy = (all.busy - before.all.busy) / ticks;
    const others = Math.max(0, busy - ours.reduce((sum, each) => sum + each, 0));
    return { seconds: ticks / 100, ours, others, stolen: (all.stolen - before.all.stolen) / ticks };
  };
}

/** Since boot, over all cores, in ticks of 10 ms. */
function coreTicks(): { readonly busy: number; readonly stolen: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line.split(/\s+/).slice(1).map(Number);
  return { busy: user + nice + system + irq + softirq, stolen };
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
