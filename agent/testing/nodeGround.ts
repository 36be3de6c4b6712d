/** A node to try things on: the real loop, journal and workload sockets; processes, GPUs and time are doubles. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { AssignedWorker, Assignment, Desire } from '#vocabulary/assignment.ts';
import { epoch, generation, jobName, jobUid } from '#vocabulary/ids.ts';
import type { ObservedWorker } from '#vocabulary/observed.ts';
import type { GpuSlot } from '#vocabulary/topology.ts';
import { openFileJournal } from '../adapters/journal/fileJournal.ts';
import { createMemoryGpus, type MemoryGpus } from '../adapters/memory/memoryGpus.ts';
import { createMemoryMachine, type MemoryMachine, type MemoryMachineOptions } from '../adapters/memory/memoryMachine.ts';
import { createUnixSockets } from '../adapters/workload/unixSockets.ts';
import { Background } from '../loop/background.ts';
import { startNode, type Node } from '../loop/startNode.ts';
import type { Journal } from '../ports/journal.ts';
import type { WorkloadSockets } from '../ports/workload.ts';
import { createManualClock, type ManualClock } from './manualClock.ts';

export interface NodeGround {
  readonly folder: string;
  readonly machine: MemoryMachine;
  readonly gpus: MemoryGpus;
  readonly clock: ManualClock;
  /** A new agent on what the last one left; the last one is dead. */
  restart(options?: { readonly bootId?: string; readonly journal?: (journal: Journal) => Journal }): Promise<RunningNode>;
  remove(): Promise<void>;
}

export interface NodeGroundOptions extends MemoryMachineOptions {
  /** MIG profiles that each of its GPUs is divided into. */
  readonly slots?: readonly string[];
}

export interface RunningNode extends Node {
  readonly sockets: WorkloadSockets;
  assign(at: number, workers: readonly AssignedWorker[], leader?: number): void;
  observed(): readonly ObservedWorker[];
  /** Resolves when this holds of what may be reported. Vitest's own time limit is the deadline. */
  until(holds: (workers: readonly ObservedWorker[]) => boolean): Promise<void>;
  acknowledge(): void;
}

export async function openNodeGround({ slots, ...options }: NodeGroundOptions = {}): Promise<NodeGround> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-node-'));
  const machine = createMemoryMachine(options);
  const gpus = createMemoryGpus('n1', 4, slots);
  const clock = createManualClock();
  let kill = async (): Promise<void> => undefined;
  return {
    folder,
    machine,
    gpus,
    clock,
    async restart({ bootId = 'boot', journal: wrap = (each: Journal) => each } = {}) {
      await kill();
      const runtime = machine.open();
      const journal = await openFileJournal(join(folder, 'journal'));
      const log = pino({ level: 'silent' });
      let opened: WorkloadSockets | null = null;
      const node = await startNode({
        inventory: {
          address: '127.0.0.1',
          bootId,
          agentVersion: '0',
          path: [],
          cpuMilli: 1000,
          memoryBytes: 1,
          os: '',
          gpus: await gpus.inventory(),
        },
        labels: {},
        journal: wrap(journal),
        runtime,
        gpu: gpus,
        clock,
        folders: { makeWritable: (path) => Promise.resolve(path.startsWith('/readonly') ? `${path} cannot be written` : null) },
        sockets: (desk) => (opened = createUnixSockets({ folder: join(folder, 's'), desk, owner: null, log })),
        facts: { workFolder: '/work-folder', networkInterface: null, agentEnv: {} },
        background: new Background(log),
        log,
      });
      if (opened === null) throw new Error('the node opened no sockets');
      const running = withSteps(node, opened);
      kill = async () => {
        runtime.close();
        await node.stop();
        for (const { id } of node.state().workers.values()) await running.sockets.close(id);
        await journal.close();
      };
      return running;
    },
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function withSteps(node: Node, sockets: WorkloadSockets): RunningNode {
  const observed = (): readonly ObservedWorker[] => node.session.report().workers;
  return {
    ...node,
    sockets,
    observed,
    assign(at, workers, leader = 1) {
      const assignment: Assignment = { epoch: epoch(leader), generation: generation(at), workers };
      node.session.onAssignment(assignment);
    },
    async until(holds) {
      if (holds(observed())) return;
      await new Promise<void>((resolve) => node.onReportable(() => holds(observed()) && resolve()));
    },
    acknowledge: () => node.session.onAcknowledged(node.session.report().version),
  };
}

export interface WorkerShape {
  readonly gpus?: readonly number[];
  readonly processes?: number;
  readonly gpuSlot?: GpuSlot;
  readonly desire?: Desire;
  readonly checkpoint?: string;
}

export function assignedWorker(
  name: string,
  { gpus = [0], processes = 1, gpuSlot, desire = { kind: 'run' }, checkpoint }: WorkerShape = {},
): AssignedWorker {
  return {
    id: { job: jobUid(name), attempt: 1, worker: 0 },
    gpus,
    desire,
    launch: {
      jobName: jobName(name),
      workers: 1,
      nodeRank: 0,
      firstRank: 0,
      processes,
      worldSize: processes,
      gpusPerWorker: gpus.length,
      gpuShareMilli: null,
      ...(gpuSlot === undefined ? {} : { gpuSlot }),
      coordinatorAddress: '127.0.0.1',
      coordinatorPort: 4000,
      command: ['train'],
      env: {},
      workingDirectory: '',
      cpuMilli: null,
      memoryBytes: null,
      mesh: [{ axis: 'data', size: Math.max(1, gpus.length) }],
      checkpoint: checkpoint === undefined ? null : { directory: checkpoint, resume: null, keep: null, intervalMs: null },
    },
  };
}
