/**
 * Jobs acknowledged a second: each is decoded, admitted, placed on a GPU and committed with fsync before its answer.
 *   node bench/submit.ts [jobs] [--profile]
 * One controller process on SQLite, 525 silent nodes of 8 GPUs with real TLS sessions, clients and nodes in this process.
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
const clients = 16;

function manifest(name: string): { readonly json: string } {
  return {
    json: JSON.stringify({
      apiVersion: 'shoal.dev/v1',
      kind: 'TrainingJob',
      metadata: { name },
      spec: {
        workers: 1,
        gpusPerWorker: 1,
        template: { command: ['python', 'train.py', '--config', 'configs/base.yaml'], resources: { cpu: '4', memory: '16Gi' } },
      },
    }),
  };
}

async function measureOneByOne(connections: readonly ControlClient[]): Promise<void> {
  const latenciesMs: number[] = [];
  let next = 0;
  const startMs = performance.now();
  await Promise.all(
    connections.map(async (client) => {
      while (next < jobs) {
        const name = `one-${(next += 1)}`;
        const sentMs = performance.now();
        const { results } = await client.apply({ documents: [manifest(name)] });
        if (results[0]?.outcome !== 'created') throw new Error(`${name}: ${JSON.stringify(results[0])}`);
        latenciesMs.push(performance.now() - sentMs);
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `one call a job, ${clients} clients   ${Math.round(jobs / seconds)} jobs/s   p50 ${quantile(latenciesMs, 0.5).toFixed(1)} ms   p99 ${quantile(latenciesMs, 0.99).toFixed(1)} ms`,
  );
}

async function measureOneApply(client: ControlClient, prefix: string): Promise<void> {
  const documents = Array.from({ length: jobs }, (_, index) => manifest(`${prefix}-${index}`));
  const startMs = performance.now();
  const { results } = await client.apply({ documents });
  const seconds = (performance.now() - startMs) / 1000;
  if (results.some((result) => result.outcome !== 'created')) throw new Error('a job was not created');
  console.log(`one apply of ${jobs} documents      ${Math.round(jobs / seconds)} jobs/s   ${Math.round(seconds * 1000)} ms`);
}

async function countPlaced(client: ControlClient): Promise<number> {
  const { resources } = await client.list({ kind: 'TrainingJob' });
  return resources.filter(({ object }) => object.case === 'trainingJob' && object.value.status?.phase !== 'Pending').length;
}

async function measure(run: (connections: readonly ControlClient[]) => Promise<void>): Promise<void> {
  const profiler = withProfile ? await makeProfiler() : null;
  const controller = await startController(profiler?.nodeFlags);
  const connections = Array.from({ length: clients }, () => controller.connect());
  const [first] = connections;
  try {
    if (first === undefined) return;
    const closeNodes = await openSilentNodes(controller, first, { nodes: Math.ceil(jobs / 8) + 25, gpus: 8 });
    await Promise.all(connections.map((client) => client.apply({ documents: [manifest(`warm-${Math.random().toString(36).slice(2)}`)] })));
    const loopMs = cpuLoopMs();
    const endProfile = profiler?.begin();
    const coresUsed = watchCores([controller.pid, process.pid]);
    await run(connections);
    const used = coresUsed();
    endProfile?.();
    printCores(used, loopMs);
    console.log(`  placed: ${(await countPlaced(first)) - clients} of ${jobs}`);
    closeNodes();
  } finally {
    for (const client of connections) client.close();
    await controller.stop();
  }
  if (profiler !== null) printRooms(await profiler.read());
}

function printCores({ ours: [server = 0, client = 0], others, stolen, seconds }: CoresUsed, loopMs: number): void {
  const cpuMs = (server * seconds * 1000) / jobs;
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
await measure(measureOneByOne);
await measure(async ([client]) => {
  if (client !== undefined) await measureOneApply(client, 'many');
});
process.exit(0);
