/** Milliseconds of one call, measured many times. */
export interface Samples {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /**
   * Mean CPU time of this thread, which is what the clock would say with a core of its own: where the two differ, others had
   * the core. The system counts in ticks of some milliseconds, so it is null unless the calls took 100 ms together.
   */
  readonly cpuMs: number | null;
}

export interface Took {
  readonly clockMs: number;
  readonly cpuMs: number;
}

/** `once` answers its own time, so that its preparation does not count. The first tenth warms the compiler up and is not counted. */
export function sample(count: number, once: () => Took): Samples {
  const times: number[] = [];
  let cpuMs = 0;
  const warmUp = Math.ceil(count / 10);
  for (let turn = 0; turn < count + warmUp; turn += 1) {
    const took = once();
    if (turn < warmUp) continue;
    times.push(took.clockMs);
    cpuMs += took.cpuMs;
  }
  times.sort((left, right) => left - right);
  const quantile = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return {
    count,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: times.at(-1) ?? Number.NaN,
    cpuMs: cpuMs < 100 ? null : cpuMs / count,
  };
}

export function timed(work: () => void): Took {
  const cpuBefore = process.threadCpuUsage();
  const startMs = performance.now();
  work();
  const clockMs = performance.now() - startMs;
  const { user, system } = process.threadCpuUsage(cpuBefore);
  return { clockMs, cpuMs: (user + system) / 1000 };
}

export function describeSamples({ count, p50Ms, p99Ms, maxMs, cpuMs }: Samples): string {
  const cpu = cpuMs === null ? '' : `, mean CPU ${printMs(cpuMs)} ms`;
  return `p50 ${printMs(p50Ms)}  p99 ${printMs(p99Ms)}  max ${printMs(maxMs)} ms${cpu}  (${count} samples)`;
}

/** So many things a second: by the median time of all of them together, and by the CPU time. */
export function describeRate(things: number, what: string, samples: Samples): string {
  const rate = (ms: number): string => Math.round((things / ms) * 1000).toLocaleString('en');
  const byCpu = samples.cpuMs === null ? '' : ` (${rate(samples.cpuMs)} a second of CPU)`;
  return `${rate(samples.p50Ms)} ${what}/s${byCpu}   ${describeSamples(samples)}`;
}

const printMs = (value: number): string => (value < 10 ? value.toFixed(3) : value.toFixed(1));

/** One measured thing: our figure, what was aimed at, and what others published about the like. */
export function printRow(row: { readonly what: string; readonly ours: string; readonly aim: string; readonly peers: string }): void {
  console.log(`  ${row.what}`);
  console.log(`    ours   ${row.ours}`);
  console.log(`    aim    ${row.aim}`);
  if (row.peers !== '') console.log(`    peers  ${row.peers}`);
}
