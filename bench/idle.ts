/**
 * What a cluster at rest costs: one controller and four agents of two simulated GPUs, as `shoal up` starts them.
 *   node bench/idle.ts [seconds]
 * CPU over the measured time, memory at its end. The aims are for RSS: on a node of its own an agent shares nothing. `private` is
 * the part of it that no other process here has: five programs on one machine hold Node's own code, some 50 MiB, once.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { usageOf } from './controllerProcess.ts';
import { printMachine } from './machine.ts';

const seconds = Number(process.argv[2] ?? 60);

async function findPrograms(): Promise<readonly { readonly pid: number; readonly name: string }[]> {
  const found: { pid: number; name: string }[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (!line.includes(folder)) continue;
    const words = line.split('\0');
    if (words.some((word) => word.endsWith('controller/main.ts'))) found.push({ pid: Number(entry), name: 'controller' });
    else if (words.some((word) => word.endsWith('agent/main.ts')) && words.includes('run'))
      found.push({ pid: Number(entry), name: 'agent' });
  }
  return found;
}

async function privateMibOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...rollup.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0) / 1024;
}

const folder = await mkdtemp(join(tmpdir(), 'shoal-idle-'));
const shoal = new URL('../bin/shoal', import.meta.url).pathname;
const env = { ...process.env, SHOAL_CONFIG: join(folder, 'config') };
const words = [
  'up',
  '--data',
  join(folder, 'd'),
  '--listen',
  '127.0.0.1:0',
  '--agent-listen',
  '127.0.0.1:0',
  '--agents',
  '4',
  '--gpus-per-agent',
  '2',
];
const up = spawn(shoal, words, { env, stdio: ['ignore', 'ignore', 'inherit'] });
try {
  while ((await findPrograms()).filter(({ name }) => name === 'agent').length < 4) await sleep(500);
  await sleep(15_000);
  const programs = await findPrograms();
  const before = await Promise.all(programs.map(({ pid }) => usageOf(pid)));
  await sleep(seconds * 1000);
  const after = await Promise.all(programs.map(({ pid }) => usageOf(pid)));
  const privateMib = await Promise.all(programs.map(({ pid }) => privateMibOf(pid)));
  printMachine();
  for (const [index, { name }] of programs.entries()) {
    const cpu = (((after[index]?.cpuSeconds ?? 0) - (before[index]?.cpuSeconds ?? 0)) / seconds) * 100;
    console.log(
      `${name.padEnd(12)} ${cpu.toFixed(2)} % of a core   ${(after[index]?.rssMib ?? 0).toFixed(0)} MiB, private ${privateMib[index]?.toFixed(0)} MiB`,
    );
  }
} finally {
  up.kill('SIGINT');
  await sleep(2_000);
  await rm(folder, { recursive: true, force: true });
}
