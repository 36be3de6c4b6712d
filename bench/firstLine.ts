/**
 * From submitting a job of one worker to the first line of its own code, warm.
 *   node bench/firstLine.ts [jobs]
 * One controller, one agent (simulated GPUs, process runtime, cgroups as the machine allows), one client with an open
 * connection. The job prints the wall clock in its first line; all is on one machine, so there is one clock.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentNodeFlags } from '#cli/rooms.ts';
import { quantile, startController } from './controllerProcess.ts';
import type { BenchController, ControlClient } from './controllerProcess.ts';
import { printMachine } from './machine.ts';

const jobs = Number(process.argv[2] ?? 40);
const agentProgram = new URL('../agent/main.ts', import.meta.url).pathname;

async function startAgent(controller: BenchController, client: ControlClient, folder: string): Promise<{ stop(): void }> {
  const { token } = await client.createJoinToken({});
  const env = { ...process.env, SHOAL_JOIN_TOKEN: token };
  const joining = spawn(process.execPath, [agentProgram, 'join', '--data', folder, '--controller', controller.control, '--node', 'n1'], {
    env,
    stdio: 'ignore',
  });
  await new Promise((resolve) => joining.once('exit', resolve));
  const agent = spawn(
    process.execPath,
    [...agentNodeFlags, agentProgram, 'run', '--data', folder, '--node', 'n1', '--gpus', '8', '--log-level', 'warn'],
    { stdio: 'inherit' },
  );
  for (;;) {
    const { resources } = await client.list({ kind: 'Node' });
    const [node] = resources;
    if (node?.object.case === 'node' && node.object.value.status?.state === 'Ready') return { stop: () => agent.kill('SIGTERM') };
    await sleep(100);
  }
}

async function measureOne(client: ControlClient, folder: string, index: number): Promise<number> {
  const file = join(folder, `first-${index}`);
  const command = ['/bin/sh', '-c', `date +%s%N > ${file}.new; mv ${file}.new ${file}`];
  const manifest = {
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name: `first-${index}` },
    spec: { template: { command } },
  };
  const submittedMs = Date.now();
  await client.apply({ documents: [{ json: JSON.stringify(manifest) }] });
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return Number(text.trim()) / 1e6 - submittedMs;
    await sleep(5);
  }
}

printMachine();
const controller = await startController();
const client = controller.connect();
const folder = await mkdtemp(join(tmpdir(), 'shoal-first-'));
try {
  const agent = await startAgent(controller, client, folder);
  for (let index = 0; index < 5; index += 1) await measureOne(client, folder, 1_000_000 + index);
  const times: number[] = [];
  for (let index = 0; index < jobs; index += 1) {
    times.push(await measureOne(client, folder, index));
    await sleep(200);
  }
  console.log(
    `submit to first line of user code, ${jobs} jobs: p50 ${quantile(times, 0.5).toFixed(0)} ms, p90 ${quantile(times, 0.9).toFixed(0)} ms, max ${Math.max(...times).toFixed(0)} ms`,
  );
  agent.stop();
  await sleep(500);
} finally {
  client.close();
  await controller.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
