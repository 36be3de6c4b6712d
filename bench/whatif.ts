/**
 * Plans and forecasts of a large cluster, and what they cost the leader.
 *   node bench/whatif.ts [nodes]
 * 1,250 nodes of 8 GPUs, all busy, and 2,000 jobs of 40 users that wait in 16 queues. The thread that answers follows the log as in
 * a controller, from memory. Times are from the question to the answer; CPU is that of this process. The
 * leader's pass is timed alone and while the thread plays a what-if, by turns.
 */
import { systemClock } from '#controller/adapters/system/clock.ts';
import { ForecastDesk } from '#controller/forecasts/forecastDesk.ts';
import type { Question } from '#controller/forecasts/questions.ts';
import { Loop } from '#controller/loop/loop.ts';
import type { Store } from '#controller/ports/store.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { forkState } from '#core/state/fork.ts';
import type { State } from '#core/state/state.ts';
import { applyJob, policy } from '#test/simulation/fakeCluster.ts';
import { queueName, revision } from '#vocabulary/ids.ts';
import { printMachine } from './machine.ts';
import { buildState, stepAt, waitingJobs } from './schedule/busyState.ts';

const nodes = Number(process.argv[2] ?? 1_250);
const waiting = 2_000;
const quiet = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

/** Hours and more: spread over five orders of magnitude, as traces are. */
function promised(index: number): number {
  return 60_000 * Math.max(1, Math.round(3_000 ** (((index * 7_919) % 1_000) / 1_000)));
}

function buildQueue(): State {
  const state = buildState(nodes, { whole: 8, single: 40 });
  const jobs = waitingJobs(waiting, { workersMax: 64, gpusMin: 1 }).map((job, index) => {
    // As most manifests are: no word of CPU.
    const template = { ...job.spec.template, cpuMilli: null };
    return { ...job, spec: { ...job.spec, template, maxRuntimeMs: promised(index) } };
  });
  for (const [index, job] of [...state.jobs.values()].entries()) job.spec = { ...job.spec, maxRuntimeMs: promised(index + waiting) };
  stepAt(state, jobs);
  return state;
}

/** As if all of it had been written: a snapshot, and what is appended since. */
function storeOf(before: State): Store {
  const snapshot = { revision: before.revision, body: printSnapshot(before) };
  const lines: string[] = [];
  return {
    append: async (batch) => void lines.push(...batch.lines),
    read: async (after, limit) =>
      lines
        .slice(after - snapshot.revision, after - snapshot.revision + limit)
        .map((line, at) => ({ revision: revision(after + at + 1), line })),
    head: async () => ({ revision: revision(snapshot.revision + lines.length), epoch: before.epoch }),
    saveSnapshot: async () => undefined,
    loadSnapshot: async () => snapshot,
    close: async () => undefined,
  };
}

const state = buildQueue();
const store = storeOf(state);
const clock = { ...systemClock, nowMs: () => state.atMs + 1_000 };
const options = {
  store,
  clock,
  telemetry: quiet,
  policy,
  version: 'bench',
  inboxMax: 1_000,
  batchMax: 1_000,
  snapshotEvery: 1e9,
  probeMs: 1_000,
};
const loop = await Loop.open(options);
const stop = new AbortController();
void loop.run(stop.signal).catch(console.error);
const desk = new ForecastDesk({ loop, store, clock, policy, telemetry: quiet, asksMax: 4, idleMs: 600_000 }, stop.signal);

const job = (name: string, changes: Parameters<typeof applyJob>[1] = {}, when = false): Question => ({
  kind: 'plan',
  when,
  wanted: [applyJob(name, { queue: queueName('team-0-0'), ...changes })],
});
const whatIf: Question = { kind: 'outlook', changes: [{ kind: 'addNodes', count: 16, model: 'H100', gpus: 8, domain: null }] };

interface Sample {
  readonly clockMs: number;
  readonly cpuMs: number;
}

async function ask(question: Question): Promise<Sample> {
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  const { answer } = await desk.ask(question);
  if (answer.kind === 'refused') throw new Error(JSON.stringify(answer));
  const { user, system } = process.cpuUsage(cpu);
  return { clockMs: performance.now() - startMs, cpuMs: (user + system) / 1_000 };
}

async function measure(name: string, question: Question, count: number): Promise<void> {
  const samples: Sample[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    samples.push(await ask(question));
    // The next fork is made ready meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  print(name, samples);
}

function print(name: string, samples: readonly Sample[]): void {
  const of = (pick: (one: Sample) => number): string => {
    const sorted = samples.map(pick).sort((left, right) => left - right);
    return `${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0)} ms, most ${(sorted.at(-1) ?? 0).toFixed(0)}`;
  };
  console.log(`  ${name.padEnd(58)} p50 ${of(({ clockMs }) => clockMs)}; CPU p50 ${of(({ cpuMs }) => cpuMs)}  (${samples.length})`);
}

/** One pass of the leader over all that wait, on its own copy: nothing of it is kept. */
function timePass(leader: State): Sample {
  leader.scheduleDirty = true;
  const [startMs, cpu] = [performance.now(), process.threadCpuUsage()];
  stepAt(leader, []);
  const { user, system } = process.threadCpuUsage(cpu);
  return { clockMs: performance.now() - startMs, cpuMs: (user + system) / 1_000 };
}

async function comparePasses(): Promise<void> {
  const leader = forkState(state);
  for (let turn = 0; turn < 20; turn += 1) timePass(leader);
  const [alone, beside]: [Sample[], Sample[]] = [[], []];
  for (let round = 0; round < 2; round += 1) {
    for (let turn = 0; turn < 40; turn += 1) {
      alone.push(timePass(leader));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    let isPlaying = true;
    const played = ask(whatIf).finally(() => {
      isPlaying = false;
    });
    for (let turn = 0; turn < 40 && isPlaying; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (isPlaying) beside.push(timePass(leader));
    }
    await played;
  }
  print("the leader's pass, alone", alone);
  print("the leader's pass, while a what-if is played", beside);
}

printMachine();
console.log(`${nodes} nodes, ${nodes * 8} GPUs, ${state.pending.length} jobs wait, ${state.jobs.size - state.pending.length} run`);
const forkMs = Array.from({ length: 20 }, () => {
  const startMs = performance.now();
  forkState(state);
  return { clockMs: performance.now() - startMs, cpuMs: 0 };
});
print('a fork of the state', forkMs);
print('the first question: the thread starts and reads the state', [await ask(job('first'))]);
await measure('plan: a job that fits', job('fits'), 10);
await measure('plan: a gang that must wait', job('waits', { workers: 32, gpusPerWorker: 8 }), 10);
await measure('plan: with when it starts', job('when', { workers: 32, gpusPerWorker: 8 }, true), 2);
await measure('forecast: when all start that wait', { kind: 'starts' }, 2);
await measure('what-if: 16 nodes more, both ways to their end', whatIf, 2);
await comparePasses();
stop.abort();
