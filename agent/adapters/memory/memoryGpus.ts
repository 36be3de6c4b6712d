import type { GpuHealth, GpuSample } from '#vocabulary/observed.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';
import type { Gpu } from '#agent/ports/gpu.ts';

/** Devices that are what a test says. */
export interface MemoryGpus extends Gpu {
  /** `code` empty: healthy again. Listeners hear it only when it changes something. */
  setHealth(index: number, code: string, message?: string): void;
}

/** `count` devices of 80 GiB, one NVLink domain, uuids `GPU-<node>-<index>`; each divided into `slots`, if any, `MIG-<node>-<index>-<position>`. */
export function createMemoryGpus(node: string, count: number, slots: readonly string[] = []): MemoryGpus {
  return createMemoryGpusFrom(
    Array.from({ length: count }, (_, index) => ({
      index,
      uuid: `GPU-${node}-${index}`,
      model: 'H100',
      memoryBytes: 80 * 2 ** 30,
      pciBusId: `00000000:${(index + 1).toString(16).padStart(2, '0')}:00.0`,
      numaNode: 0,
      nvlinkDomain: count > 1 ? 0 : null,
      ...(slots.length === 0 ? {} : { slots: slots.map((profile, at) => ({ profile, uuid: `MIG-${node}-${index}-${at}` })) }),
    })),
  );
}

function createMemoryGpusFrom(inventory: readonly GpuInfo[]): MemoryGpus {
  const health = new Map<number, GpuHealth>(inventory.map(({ index }) => [index, { index, healthy: true, code: '', message: '' }]));
  const listeners: (() => void)[] = [];
  return {
    inventory: () => Promise.resolve(inventory),
    health: () => Promise.resolve([...health.values()]),
    sample: () =>
      Promise.resolve(
        inventory.map(
          ({ index }): GpuSample => ({ index, utilizationPercent: 0, memoryUsedBytes: 0, powerMilliwatts: 70_000, temperatureCelsius: 30 }),
        ),
      ),
    onHealthChange: (listener) => void listeners.push(listener),
    close: () => {
      listeners.length = 0;
      return Promise.resolve();
    },
    setHealth(index, code, message = '') {
      if (health.get(index)?.code === code) return;
      health.set(index, { index, healthy: code === '', code, message });
      for (const listener of listeners) listener();
    },
  };
}
