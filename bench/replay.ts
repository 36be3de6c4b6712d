/**
 * Policies on traces beside what an independent simulator of the same rules got on the same files.
 *   node bench/replay.ts [--policies easy,las5] [--estimates csv] [trace ...]
 * Without names: helios-a, muri-trace1 and philly-2017-10, all policies. Also there: acme-kalos-like, acme-seren-like, fleet-100k.
 * Each policy prints a row of ours, a row of the reference where there is one, and how fast it went; the peak memory is
 * that of the whole process, so that one trace and one policy measure it.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseCluster } from '#sim/replay/input/parseCluster.ts';
import { parseJobs, type EstimateSource } from '#sim/replay/input/parseJobs.ts';
import { isPolicyName, policies, type PolicyName } from '#sim/replay/policies/policies.ts';
import { printTable, type TableRow } from '#sim/replay/printTable.ts';
import { replay } from '#sim/replay/replay.ts';
import { replayTable, type ReplayTable } from '#sim/replay/replayTable.ts';
import { readInput } from '#sim/readInput.ts';
import { printMachine } from './machine.ts';

/** Our name of a column, and the reference's. */
const columns: readonly (readonly [keyof ReplayTable, string])[] = [
  ['jobs', 'jobs'],
  ['avgJctS', 'avg_jct_s'],
  ['p50JctS', 'p50_jct_s'],
  ['p99JctS', 'p99_jct_s'],
  ['avgQueueS', 'avg_queue_s'],
  ['p50QueueS', 'p50_queue_s'],
  ['p99QueueS', 'p99_queue_s'],
  ['utilPct', 'util_window_pct'],
  ['idleWhileQueuedPct', 'idle_while_queued_pct'],
  ['fragBlockedTimePct', 'frag_blocked_time_pct'],
  ['preemptions', 'preemptions'],
  ['avgBsld', 'avg_bsld'],
  ['makespanS', 'makespan_s'],
  ['avgQueueSmallS', 'avg_q_small_s'],
  ['avgQueueNodeS', 'avg_q_node_s'],
  ['avgQueueMultiS', 'avg_q_multi_s'],
];

interface Run {
  readonly trace: string;
  readonly policy: PolicyName;
  readonly estimates: EstimateSource;
}

const { values, positionals } = parseArgs({
  options: { policies: { type: 'string' }, estimates: { type: 'string', default: 'exact' } },
  allowPositionals: true,
});
const traces = positionals.length > 0 ? positionals : ['helios-a', 'muri-trace1', 'philly-2017-10'];
const names = (values.policies?.split(',') ?? Object.keys(policies)).map(known);
const estimates = values.estimates === 'csv' ? 'csv' : 'exact';
const reference = await readReference();

printMachine();
for (const trace of traces) await benchTrace(trace);
console.log(`peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);

async function benchTrace(trace: string): Promise<void> {
  const shape = parseCluster(await readData(`${trace}.cluster.yaml`), trace);
  const totalGpus = shape.nodes * shape.nodeGpus;
  const jobs = parseJobs(await readData(`${trace}.csv.gz`), { file: trace, estimates, totalGpus });
  console.log(`${trace}: ${jobs.length} jobs on ${shape.nodes} nodes of ${shape.nodeGpus} GPUs, estimates ${estimates}`);
  const rows: TableRow[] = [];
  const notes: string[] = [];
  for (const policy of names) {
    const startedMs = performance.now();
    const table = replayTable(replay({ trace: jobs, shape, policy: policies[policy], overheadFactor: 1 }));
    const seconds = (performance.now() - startedMs) / 1_000;
    rows.push({ name: policy, table });
    const wanted = reference({ trace, policy, estimates });
    if (wanted !== undefined) rows.push({ name: '  reference', table: wanted });
    const speed = `${seconds.toFixed(2).padStart(7)} s  ${Math.round(jobs.length / seconds)} jobs/s`;
    notes.push(`${policy.padEnd(10)} ${speed}  ${wanted === undefined ? 'no reference' : difference(table, wanted)}`);
  }
  console.log(`${printTable(rows)}${notes.join('\n')}\n`);
}

function difference(ours: ReplayTable, wanted: ReplayTable): string {
  const differing = columns.filter(([name]) => ours[name] !== wanted[name]);
  if (differing.length === 0) return `equal to the reference in all ${columns.length} columns`;
  return `differs from the reference in ${differing.map(([name]) => `${name} (${ours[name]} instead of ${wanted[name]})`).join(', ')}`;
}

async function readReference(): Promise<(run: Run) => ReplayTable | undefined> {
  const text = await readData('reference.csv');
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const heads = header.split(',');
  const rows = lines.map((line) => new Map(line.split(',').map((value, at) => [heads[at] ?? '', value])));
  return ({ trace, policy, estimates: told }) => {
    const row = rows.find((each) => each.get('trace') === trace && each.get('policy') === policy && each.get('est') === told);
    return row === undefined ? undefined : referenceTable(row);
  };
}

function referenceTable(row: ReadonlyMap<string, string>): ReplayTable {
  const of = (name: keyof ReplayTable): number => Number(row.get(columns.find(([ours]) => ours === name)?.[1] ?? ''));
  return {
    jobs: of('jobs'),
    avgJctS: of('avgJctS'),
    p50JctS: of('p50JctS'),
    p99JctS: of('p99JctS'),
    avgQueueS: of('avgQueueS'),
    p50QueueS: of('p50QueueS'),
    p99QueueS: of('p99QueueS'),
    utilPct: of('utilPct'),
    idleWhileQueuedPct: of('idleWhileQueuedPct'),
    fragBlockedTimePct: of('fragBlockedTimePct'),
    preemptions: of('preemptions'),
    avgBsld: of('avgBsld'),
    makespanS: of('makespanS'),
    avgQueueSmallS: of('avgQueueSmallS'),
    avgQueueNodeS: of('avgQueueNodeS'),
    avgQueueMultiS: of('avgQueueMultiS'),
  };
}

async function readData(name: string): Promise<string> {
  return await readInput(fileURLToPath(new URL(`data/traces/${name}`, import.meta.url)));
}

function known(name: string): PolicyName {
  if (isPolicyName(name)) return name;
  throw new Error(`no policy ${name}; there are ${Object.keys(policies).join(', ')}`);
}
