/**
 * Traces through the scheduling core that runs clusters, beside the replay's policies on the same files.
 *   node bench/live.ts [--no-slicing] [--save 600] [--first N] [trace ...]
 * Without names: muri-trace1. Every pass is the core's `step`; programs are played by their times alone: an attempt runs
 * from its placement on, saves every `--save` seconds, leaves at once when asked, and a restart costs what it costs in the
 * replay (7, 30 or 60 s by size). Nobody says how long a job runs, and each job is of a user of its own, as the replay knows
 * no users.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultPolicy } from '#controller/limits.ts';
import { parseCluster } from '#sim/replay/input/parseCluster.ts';
import { parseJobs } from '#sim/replay/input/parseJobs.ts';
import { replayJobs } from '#sim/replay/replayJob.ts';
import { jctOf, makespanS, mean, nearestRank, queueOf } from '#sim/replay/replayTable.ts';
import { readInput } from '#sim/readInput.ts';
import { Live } from './live/livePlay.ts';
import { printMachine } from './machine.ts';

const { values, positionals } = parseArgs({
  options: {
    'no-slicing': { type: 'boolean', default: false },
    save: { type: 'string', default: '600' },
    first: { type: 'string', default: '1000000' },
  },
  allowPositionals: true,
});
const policy = { ...defaultPolicy, timeSlicing: !values['no-slicing'], recentEventsMax: 10 };
const saveEveryS = Number(values.save);

async function measure(trace: string): Promise<void> {
  const read = (name: string): Promise<string> => readInput(fileURLToPath(new URL(`data/traces/${name}`, import.meta.url)));
  const shape = parseCluster(await read(`${trace}.cluster.yaml`), trace);
  const wanted = { file: trace, estimates: 'exact', totalGpus: shape.nodes * shape.nodeGpus } as const;
  const jobs = replayJobs(parseJobs(await read(`${trace}.csv.gz`), wanted).slice(0, Number(values.first)));
  const live = new Live(jobs, shape, { policy, saveEveryS });
  const before = process.cpuUsage();
  live.run();
  const used = process.cpuUsage(before);
  const cpuS = (used.user + used.system) / 1e6;
  const unfinished = jobs.filter((job) => job.state !== 'done').length;
  const waits = (isWanted: (gpus: number) => boolean): number => Math.round(mean(jobs.filter(({ gpus }) => isWanted(gpus)).map(queueOf)));
  const sorted = jobs.map(jctOf).sort((left, right) => left - right);
  console.log(
    [
      `${trace}, time slicing ${policy.timeSlicing ? 'on' : 'off'}, saving every ${saveEveryS} s: ${jobs.length} jobs${unfinished === 0 ? '' : `, ${unfinished} unfinished`}`,
      `  mean JCT ${Math.round(mean(sorted))} s, p99 ${nearestRank(sorted, 0.99)} s, makespan ${makespanS(jobs)} s, stops ${live.stops}`,
      `  mean queue ${Math.round(mean(jobs.map(queueOf)))} s: below a node ${waits((gpus) => gpus < shape.nodeGpus)}, a node ${waits((gpus) => gpus === shape.nodeGpus)}, more ${waits((gpus) => gpus > shape.nodeGpus)}`,
      `  ${live.passes} passes, ${cpuS.toFixed(1)} s of CPU`,
    ].join('\n'),
  );
}

printMachine();
for (const trace of positionals.length > 0 ? positionals : ['muri-trace1']) await measure(trace);
