/**
 * Estimates of starts on traces: what was told first of each job that waited, beside when it started.
 *   node bench/estimates.ts [--every 600] [--first N] [--known] [trace ...]
 * Without names: helios-a and philly-2017-10. The scheduling core plays the trace as in bench/live.ts; every `--every` seconds
 * of it the queue is forecast as the controller does it, and those who are told for the first time are noted. Nobody says
 * how long a job runs: run times are learned from the jobs that are over, by user where the trace has users, else by its
 * virtual cluster. With --known the forecast is told the true ones: what is wrong then comes of jobs that nobody knew of yet.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultPolicy } from '#controller/limits.ts';
import { Forecast } from '#core/forecast/forecast.ts';
import { openForecast } from '#core/forecast/openForecast.ts';
import type { Input } from '#core/inputs.ts';
import { forkState } from '#core/state/fork.ts';
import type { State } from '#core/state/state.ts';
import { readRows } from '#sim/replay/input/csvRows.ts';
import { parseCluster } from '#sim/replay/input/parseCluster.ts';
import { parseJobs } from '#sim/replay/input/parseJobs.ts';
import { replayJobs, type ReplayJob } from '#sim/replay/replayJob.ts';
import { nearestRank } from '#sim/replay/replayTable.ts';
import { readInput } from '#sim/readInput.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { Live, uidOf } from './live/livePlay.ts';
import { printMachine } from './machine.ts';

const { values, positionals } = parseArgs({
  options: {
    every: { type: 'string', default: '600' },
    first: { type: 'string', default: '1000000' },
    known: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const policy = { ...defaultPolicy, recentEventsMax: 10, finishedJobsMax: 100 };

/** What was told of one job, and what came; milliseconds. */
interface Told {
  readonly atMs: number;
  readonly forecastMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  startMs: number | null;
}

async function measure(trace: string): Promise<void> {
  const read = (name: string): Promise<string> => readInput(fileURLToPath(new URL(`data/traces/${name}`, import.meta.url)));
  const shape = parseCluster(await read(`${trace}.cluster.yaml`), trace);
  const text = await read(`${trace}.csv.gz`);
  const wanted = { file: trace, estimates: 'exact', totalGpus: shape.nodes * shape.nodeGpus } as const;
  const jobs = replayJobs(parseJobs(text, wanted).slice(0, Number(values.first)));
  const users = new Map(readRows(text, trace, ['id']).map((row) => [row.text('id'), row.text('user') || row.text('vc')]));
  const told = new Map<JobUid, Told>();
  const everyMs = Number(values.every) * 1_000;
  let nextMs = 0;
  let forecasts = 0;
  const byUid = new Map(jobs.map((job) => [uidOf(job), job]));
  const live = new Live(jobs, shape, {
    policy,
    saveEveryS: 600,
    userOf: (job) => users.get(job.id) || 'nobody',
    afterMoment: (state, nowMs) => {
      noteOutcomes(state, told);
      if (nowMs < nextMs || state.pending.length === 0) return [];
      nextMs = nowMs + everyMs;
      forecasts += 1;
      const starts = forecastStarts(state, nowMs, byUid);
      // Of old jobs nobody asks any more: a fork stays small.
      const inputs: readonly Input[] = [{ kind: 'startsForecast', starts }, { kind: 'tick' }];
      return inputs;
    },
  });
  const before = process.cpuUsage();
  live.run();
  const used = process.cpuUsage(before);
  const over = [...told.values()].flatMap((one) => (one.startMs === null ? [] : [{ ...one, startMs: one.startMs }]));
  console.log(
    `${trace}: ${jobs.length} jobs, ${shape.nodes * shape.nodeGpus} GPUs, ${forecasts} forecasts, ${((used.user + used.system) / 1e6).toFixed(0)} s of CPU in all`,
  );
  console.log(
    `  ${jobs.length - over.length} started at once or before the next forecast; ${over.length} were told${values.known ? ', with true run times' : ''}`,
  );
  print('all', over);
  for (const [from, to] of [
    [0, 600],
    [600, 3_600],
    [3_600, 6 * 3_600],
    [6 * 3_600, Infinity],
  ] as const)
    print(
      `waits of ${from / 60}..${to / 60} min`,
      over.filter(({ atMs, startMs }) => startMs - atMs >= from * 1_000 && startMs - atMs < to * 1_000),
    );
}

function print(name: string, all: readonly (Told & { readonly startMs: number })[]): void {
  if (all.length === 0) return;
  const sorted = (of: (one: (typeof all)[number]) => number): readonly number[] => all.map(of).sort((left, right) => left - right);
  const median = (of: (one: (typeof all)[number]) => number): number => nearestRank(sorted(of), 0.5);
  const share = (error: number): string => `${(error * 100).toFixed(0)} %`;
  const relative = (ms: keyof Pick<Told, 'p50Ms' | 'forecastMs'>): string =>
    share(median((one) => Math.abs(one[ms] - one.startMs) / Math.max(1_000, one.startMs - one.atMs)));
  const kept = all.filter(({ startMs, p90Ms }) => startMs <= p90Ms).length / all.length;
  const errorS = median(({ p50Ms, startMs }) => Math.abs(p50Ms - startMs)) / 1_000;
  const waitS = median(({ startMs, atMs }) => startMs - atMs) / 1_000;
  console.log(
    `  ${name.padEnd(24)} ${String(all.length).padStart(6)} jobs, median wait ${waitS.toFixed(0)} s, median error ${errorS.toFixed(0)} s (${share(errorS / Math.max(1, waitS))} of it); ` +
      `error/wait in the middle case ${relative('p50Ms')}, uncorrected ${relative('forecastMs')}; by p90 came ${share(kept)}`,
  );
}

/** `told` follows the state: who is told first, and who of them has started. */
function noteOutcomes(state: State, told: Map<JobUid, Told>): void {
  for (const uid of state.pending) {
    const first = state.jobs.get(uid)?.told ?? null;
    if (first !== null && !told.has(uid)) told.set(uid, { ...first, startMs: null });
  }
  for (const [uid, one] of told) {
    if (one.startMs !== null) continue;
    const placed = state.jobs.get(uid)?.attempts.find(({ placedAtMs }) => placedAtMs > one.atMs);
    if (placed !== undefined) one.startMs = placed.placedAtMs;
  }
}

function forecastStarts(state: State, nowMs: number, byUid: ReadonlyMap<JobUid, ReplayJob>): readonly { uid: JobUid; startMs: number }[] {
  const waiting = [...state.pending];
  const forecast = open(forkState(state), nowMs, byUid);
  forecast.offer([]);
  while (forecast.advance());
  return waiting.flatMap((uid) => {
    const startMs = forecast.played.get(uid)?.startMs ?? null;
    return startMs === null ? [] : [{ uid, startMs }];
  });
}

function open(fork: State, nowMs: number, byUid: ReadonlyMap<JobUid, ReplayJob>): Forecast {
  if (!values.known) return openForecast(fork, { nowMs, policy });
  const guess = (job: { readonly uid: JobUid }): number => {
    const known = byUid.get(job.uid);
    if (known === undefined) return 1;
    return Math.max(1, known.state === 'running' ? known.dueS * 1_000 - nowMs : known.remainingS * 1_000);
  };
  return new Forecast(fork, { context: { nowMs, policy }, guess, fineness: 1 / 64, horizonMs: 60 * 86_400_000, passesMax: 1_500 });
}

printMachine();
for (const trace of positionals.length > 0 ? positionals : ['helios-a', 'philly-2017-10']) await measure(trace);
