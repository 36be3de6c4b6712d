/** Milliseconds of one call, measured many times. */
export interface Samples {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** `once` answers its own time, so that its preparation does not count. The first tenth warms the compiler up and is not counted. */
export function sample(count: number, once: (turn: number) => number): Samples {
  const times: number[] = [];
  const warmUp = Math.ceil(count / 10);
  for (let turn = 0; turn < count + warmUp; turn += 1) {
    const tookMs = once(turn);
    if (turn >= warmUp) times.push(tookMs);
  }
  times.sort((left, right) => left - right);
  const quantile = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { count, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: times.at(-1) ?? Number.NaN };
}

export function timed(work: () => void): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}

export const describeSamples = ({ count, p50Ms, p99Ms, maxMs }: Samples): string =>
  `p50 ${printMs(p50Ms)}   p99 ${printMs(p99Ms)}   max ${printMs(maxMs)} ms   (${count} samples)`;

/** So many things a second, by the median time of all of them together. */
export const describeRate = (things: number, what: string, samples: Samples): string =>
  `${Math.round((things / samples.p50Ms) * 1000).toLocaleString('en')} ${what}/s   ${describeSamples(samples)}`;

const printMs = (value: number): string => (value < 10 ? value.toFixed(3) : value.toFixed(1));

/** One measured thing: our figure, what was aimed at, and what others published about the like. */
export function printRow(row: { readonly what: string; readonly ours: string; readonly aim: string; readonly peers: string }): void {
  console.log(`  ${row.what}`);
  console.log(`    ours   ${row.ours}`);
  console.log(`    aim    ${row.aim}`);
  if (row.peers !== '') console.log(`    peers  ${row.peers}`);
}
