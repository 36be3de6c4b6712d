import { assert } from '#vocabulary/assert.ts';
import type { GpuHealth } from '#vocabulary/observed.ts';
import type { Gpu } from '#agent/ports/gpu.ts';
import { type ControlSocket, openControlSocket } from './controlSocket.ts';
import { type FaultCommand, healthAfter } from './faults.ts';
import { findGpuModel } from './gpuModels.ts';
import { divide, makeInventory, type NvlinkShape } from './inventory.ts';
import { makeSample } from './sample.ts';

/**
 * Devices that do not exist, in the shape of those that do, so that every path above the `Gpu` port is the real one.
 * They compute nothing; their readings follow whether the agent has given them to a worker.
 */
export interface SimulatedGpusOptions {
  /** The node's name: two nodes have different uuids, one node has the same after a restart. */
  readonly node: string;
  /** 0..16. */
  readonly count: number;
  /** A100, H100, H200 or H800; default H100. */
  readonly model?: string;
  /** MIG profiles of the slots that each of them is divided into; default: they are whole. */
  readonly slots?: readonly string[];
  /** Path of the Unix socket at which faults are injected; null: none. */
  readonly controlSocket: string | null;
  /** Default: one domain for all, which for two devices is a pair. */
  readonly nvlink?: NvlinkShape;
}

export interface SimulatedGpus extends Gpu {
  /** Exactly these devices are in use now; the others idle. */
  setBusy(indices: readonly number[]): void;
}

export async function createSimulatedGpus(options: SimulatedGpusOptions): Promise<SimulatedGpus> {
  const model = findGpuModel(options.model ?? 'H100');
  const inventory = divide(makeInventory(options.node, options.count, model, options.nvlink ?? 'switch'), options.slots ?? []);
  const health: GpuHealth[] = inventory.map(({ index }) => healthAfter({ kind: 'heal', gpu: index }));
  const listeners: (() => void)[] = [];
  let busy: ReadonlySet<number> = new Set();

  const applyFault = (command: FaultCommand): void => {
    const next = healthAfter(command);
    if (health[command.gpu]?.code === next.code) return;
    health[command.gpu] = next;
    for (const listener of listeners) listener();
  };
  const describe = () =>
    inventory.map((info, index) => ({
      ...info,
      busy: busy.has(index),
      healthy: health[index]?.healthy,
      code: health[index]?.code,
      message: health[index]?.message,
    }));
  const socket: ControlSocket | null =
    options.controlSocket === null
      ? null
      : await openControlSocket(options.controlSocket, { count: options.count, apply: applyFault, describe });

  return {
    inventory: () => Promise.resolve(inventory),
    health: () => Promise.resolve([...health]),
    sample: () => Promise.resolve(health.map((entry) => makeSample(entry.index, model, busy.has(entry.index), entry))),
    onHealthChange: (listener) => {
      listeners.push(listener);
    },
    setBusy(indices) {
      for (const index of indices) assert(index in health, `GPU ${index} is one of the node's ${health.length}`);
      busy = new Set(indices);
    },
    async close() {
      listeners.length = 0;
      await socket?.close();
    },
  };
}
