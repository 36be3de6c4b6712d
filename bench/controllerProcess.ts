import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseReady, readContextFile } from '#cli/cmd/up/ready.ts';
import { controllerNodeFlags } from '#cli/rooms.ts';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { Client } from '#rpc/call.ts';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';

export type ControlClient = Client<typeof ControlService> & { close(): void };

/** A controller of its own, on the durable store, in a folder that goes with it. */
export interface BenchController {
  readonly pid: number;
  readonly folder: string;
  readonly control: string;
  readonly agents: string;
  /** A connection of its own each. */
  connect(): ControlClient;
  stop(): Promise<void>;
}

/** As `shoal up` starts it. `nodeFlags`: more for the controller's Node, e.g. for a profile. */
export async function startController(nodeFlags: readonly string[] = []): Promise<BenchController> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-bench-'));
  const main = new URL('../controller/main.ts', import.meta.url).pathname;
  const args = ['--data', join(folder, 'controller'), '--listen', '127.0.0.1:0', '--agent-listen', '127.0.0.1:0', '--log-level', 'warn'];
  const child = spawn(process.execPath, [...controllerNodeFlags, ...nodeFlags, main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ready = await readyLine(lines);
  const context = await readContextFile(ready.contextFile);
  return {
    pid: child.pid ?? 0,
    folder,
    control: ready.control,
    agents: ready.agents,
    connect: () =>
      connect(ControlService, {
        address: ready.control,
        credentials: clientCredentials({ caPem: context.caPem }),
        metadata: () => ({ authorization: `Bearer ${context.token}` }),
      }),
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function readyLine(lines: AsyncIterable<string>) {
  for await (const line of lines) {
    const ready = parseReady(line);
    if (ready !== undefined) return ready;
  }
  throw new Error('the controller ended before it was ready');
}

/** CPU seconds used so far and memory held now, of a process of this machine (Linux). */
export async function usageOf(pid: number): Promise<{ readonly cpuSeconds: number; readonly rssMib: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return { cpuSeconds: ticks / 100, rssMib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024 };
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
