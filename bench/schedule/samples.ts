/**
 * Milliseconds of one call, measured many times: by the clock, and of CPU in this thread, which is what the clock would say with
 * a core of its own. Where the two differ, others had the core.
 */
export interface Samples {
  readonly count: number;
  readonly clock: Quantiles;
  readonly cpu: Quantiles;
}

interface Quantiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Took {
  readonly clockMs: number;
  /** To a microsecond. */
  readonly cpuMs: number;
}

/** `once` answers its own time, so that its preparation does not count. The first tenth warms the compiler up and is not counted. */
export function sample(count: number, once: () => Took): Samples {
  const times: Took[] = [];
  const warmUp = Math.ceil(count / 10);
  for (let turn = 0; turn < count + warmUp; turn += 1) {
    const took = once();
    if (turn >= warmUp) times.push(took);
  }
  return { count, clock: quantilesOf(times.map((took) => took.clockMs)), cpu: quantilesOf(times.map((took) => took.cpuMs)) };
}

function quantilesOf(times: readonly number[]): Quantiles {
  const sorted = [...times].sort((left, right) => left - right);
  const quantile = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: sorted.at(-1) ?? Number.NaN };
}

export function timed(work: () => void): Took {
  const cpuBefore = process.threadCpuUsage();
  const startMs = performance.now();
  work();
  const clockMs = performance.now() - startMs;
  const { user, system } = process.threadCpuUsage(cpuBefore);
  return { clockMs, cpuMs: (user + system) / 1000 };
}

export const describeSamples = ({ count, clock, cpu }: Samples): string =>
  `p50 ${printMs(clock.p50Ms)}  p99 ${printMs(clock.p99Ms)}  max ${printMs(clock.maxMs)} ms; of CPU p50 ${printMs(cpu.p50Ms)}  p99 ${printMs(cpu.p99Ms)} ms (${count} samples)`;

/** So many things a second, by the median time of all of them together. */
export const describeRate = (things: number, what: string, samples: Samples): string =>
  `${Math.round((things / samples.clock.p50Ms) * 1000).toLocaleString('en')} ${what}/s   ${describeSamples(samples)}`;

const printMs = (value: number): string => (value < 10 ? value.toFixed(3) : value.toFixed(1));

/** One measured thing: our figure, what was aimed at, and what others published about the like. */
export function printRow(row: { readonly what: string; readonly ours: string; readonly aim: string; readonly peers: string }): void {
  console.log(`  ${row.what}`);
  console.log(`    ours   ${row.ours}`);
  console.log(`    aim    ${row.aim}`);
  if (row.peers !== '') console.log(`    peers  ${row.peers}`);
}
