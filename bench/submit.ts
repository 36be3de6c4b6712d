/**
 * Jobs a second through the real API and the durable store: decoded, admitted, placed on a GPU and committed with fsync.
 *   node bench/submit.ts [jobs] [--profile]
 * One controller process on SQLite, as many silent nodes of 8 GPUs as the jobs of one GPU fill (500 for 4,000), with real TLS
 * sessions; clients and nodes in this process. Each way of asking has a controller and nodes of its own.
 *
 * The clock stops when the last call is answered, which is after the commit, or when the last job was placed, whatever is
 * later; afterwards a list must show every job on a node.
 *
 * Beside each figure stands what the cores did meanwhile. The controller needs a fairly constant CPU time a job, so the
 * figure follows the share of a core that it gets: with much under `others` or `stolen`, the figure says how busy the machine
 * was. `--profile` adds what the controller's main thread did (and slows it by about a tenth).
 */
import { startController, quantile } from './controllerProcess.ts';
import type { ControlClient } from './controllerProcess.ts';
import type { CoresUsed } from './machine.ts';
import { cpuLoopMs, printMachine, watchCores } from './machine.ts';
import { makeProfiler } from './profile.ts';
import { openSilentNodes } from './silentNodes.ts';

const words = process.argv.slice(2);
const withProfile = words.includes('--profile');
const jobs = Number(words.find((word) => /^\d+$/.test(word)) ?? 4_000);
const gpusPerNode = 8;

/** `batch` documents a call, each client one call at a time. */
interface Way {
  readonly clients: number;
  readonly batch: number;
  readonly aimPerSecond: number;
}

const ways: readonly Way[] = [
  { clients: 16, batch: 1, aimPerSecond: 1_200 },
  { clients: 1, batch: 100, aimPerSecond: 4_000 },
  { clients: 4, batch: 100, aimPerSecond: 4_000 },
  { clients: 1, batch: jobs, aimPerSecond: 4_000 },
];

const oneGpu = { gpusPerWorker: 1, resources: { cpu: '4', memory: '16Gi' } };
/** So that the others just fill the nodes. */
const nothing = { gpusPerWorker: 0, resources: {} };

function manifest(name: string, { gpusPerWorker, resources }: typeof oneGpu | typeof nothing): { readonly json: string } {
  const command = ['python', 'train.py', '--config', 'configs/base.yaml'];
  const spec = { workers: 1, gpusPerWorker, template: { command, resources } };
  return { json: JSON.stringify({ apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name }, spec }) };
}

interface Submitted {
  readonly latenciesMs: readonly number[];
  readonly seconds: number;
}

async function submit(connections: readonly ControlClient[], batch: number): Promise<Submitted> {
  const calls = Array.from({ length: Math.ceil(jobs / batch) }, (_, call) =>
    Array.from({ length: Math.min(batch, jobs - call * batch) }, (_each, at) => manifest(`job-${call * batch + at}`, oneGpu)),
  );
  const latenciesMs: number[] = [];
  const startMs = Date.now();
  const next = calls.values();
  await Promise.all(
    connections.map(async (client) => {
      // One iterator for all: each takes what nobody has taken.
      for (const documents of next) {
        const sentMs = performance.now();
        const { results } = await client.apply({ documents });
        const refused = results.find(({ outcome }) => outcome !== 'created');
        if (refused !== undefined) throw new Error(JSON.stringify(refused.problems));
        latenciesMs.push(performance.now() - sentMs);
      }
    }),
  );
  const answeredMs = Date.now();
  const placedMs = connections[0] === undefined ? answeredMs : await findLastPlaced(connections[0]);
  return { latenciesMs, seconds: (Math.max(answeredMs, placedMs) - startMs) / 1_000 };
}

/** When the last job was placed, milliseconds since 1970 (the controller's clock is this machine's). Throws unless all are. */
async function findLastPlaced(client: ControlClient): Promise<number> {
  const { resources } = await client.list({ kind: 'TrainingJob' });
  const times = resources.flatMap(({ object }) => {
    if (object.case !== 'trainingJob' || !(object.value.metadata?.name ?? '').startsWith('job-')) return [];
    const at = object.value.status?.attempts.at(-1)?.placedAt;
    return at === undefined ? [] : [Number(at.seconds) * 1_000 + at.nanos / 1e6];
  });
  if (times.length !== jobs) throw new Error(`${times.length} of ${jobs} jobs are placed`);
  return Math.max(...times);
}

/** One line of the last table. */
async function measure(way: Way): Promise<string> {
  const profiler = withProfile ? await makeProfiler() : null;
  const controller = await startController(profiler?.nodeFlags);
  const connections = Array.from({ length: way.clients }, () => controller.connect());
  const [first] = connections;
  let row = '';
  try {
    if (first === undefined) return row;
    const closeNodes = await openSilentNodes(controller, first, { nodes: Math.ceil(jobs / gpusPerNode), gpus: gpusPerNode });
    await Promise.all(connections.map((client, index) => client.apply({ documents: [manifest(`warm-${index}`, nothing)] })));
    const loopMs = cpuLoopMs();
    const endProfile = profiler?.begin();
    const coresUsed = watchCores([controller.pid, process.pid]);
    const submitted = await submit(connections, way.batch);
    const used = coresUsed();
    endProfile?.();
    row = describe(way, submitted, used);
    console.log(row);
    printCores(used, loopMs);
    closeNodes();
  } finally {
    for (const client of connections) client.close();
    await controller.stop();
  }
  if (profiler !== null) printRooms(await profiler.read());
  return row;
}

function describe({ clients, batch, aimPerSecond }: Way, { latenciesMs, seconds }: Submitted, used: CoresUsed): string {
  const what = `${Math.ceil(jobs / batch)} x ${batch}, ${clients} client${clients === 1 ? '' : 's'}`;
  const rate = Math.round(jobs / seconds);
  const byCpu = Math.round(jobs / cpuSeconds(used));
  const latency = [0.5, 0.99].map((share) => quantile(latenciesMs, share).toFixed(1)).join(', ');
  return [
    what.padEnd(24),
    `${rate} jobs/s`.padStart(14),
    `aim >= ${aimPerSecond}`.padStart(13),
    (rate >= aimPerSecond ? 'met' : 'MISSED').padEnd(6),
    `${byCpu} a second of the controller's CPU`.padStart(40),
    `  a call p50, p99: ${latency} ms`,
  ].join('  ');
}

/** All threads of the controller. */
const cpuSeconds = ({ ours: [server = 0], seconds }: CoresUsed): number => server * seconds;

function printCores(used: CoresUsed, loopMs: number): void {
  const {
    ours: [server = 0, client = 0],
    others,
    stolen,
  } = used;
  const cpuMs = (cpuSeconds(used) * 1_000) / jobs;
  console.log(
    `  cores: controller ${server.toFixed(2)}, clients ${client.toFixed(2)}, others ${others.toFixed(2)}, stolen ${stolen.toFixed(2)}`,
  );
  console.log(
    `  controller CPU ${cpuMs.toFixed(2)} ms a job; fixed loop ${loopMs.toFixed(0)} ms before, ${cpuLoopMs().toFixed(0)} ms after`,
  );
}

function printRooms(times: ReadonlyMap<string, number>): void {
  const all = [...times.values()].reduce((sum, ms) => sum + ms, 0);
  const shares = [...times].map(([room, ms]) => `${room} ${Math.round((ms / all) * 100)} %`);
  console.log(`  main thread, ${Math.round(all)} ms: ${shares.join(', ')}`);
}

printMachine();
const rows: string[] = [];
for (const way of ways) rows.push(await measure(way));
console.log(
  `\n${jobs} jobs of one GPU on ${Math.ceil(jobs / gpusPerNode)} nodes of ${gpusPerNode}; calls x documents:\n${rows.join('\n')}`,
);
process.exit(0);
