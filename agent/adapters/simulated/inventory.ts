import { createHash } from 'node:crypto';
import { assert } from '#vocabulary/assert.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';
import type { GpuModel } from './gpuModels.ts';

/**
 * switch: all devices of the node in one NVLink domain, as behind NVSwitch. pairs: bridges between neighbours, an odd
 * last one has none. none: PCIe only.
 */
export type NvlinkShape = 'switch' | 'pairs' | 'none';

const gpusMax = 16;

/** Bus numbers of the eight boards of a DGX H100. */
const busNumbers = ['1B', '43', '52', '61', '9D', 'C3', 'D1', 'DF'] as const;

/** The same node and count give the same devices, bytes of the uuid included. */
export function makeInventory(node: string, count: number, model: GpuModel, nvlink: NvlinkShape): readonly GpuInfo[] {
  assert(Number.isInteger(count) && count >= 0 && count <= gpusMax, `a node has 0 to ${gpusMax} simulated GPUs, not ${count}`);
  return Array.from({ length: count }, (_, index) => ({
    index,
    uuid: makeUuid('GPU', `${node}/${index}`),
    model: model.name,
    memoryBytes: model.memoryBytes,
    pciBusId: makePciBusId(index),
    numaNode: Math.floor(index / 2),
    nvlinkDomain: findNvlinkDomain(index, count, nvlink),
  }));
}

/** The same devices, each in MIG mode with such slots; a slot's uuid follows from its GPU's. */
export function divide(gpus: readonly GpuInfo[], profiles: readonly string[]): readonly GpuInfo[] {
  if (profiles.length === 0) return gpus;
  return gpus.map((gpu) => ({ ...gpu, slots: profiles.map((profile, at) => ({ profile, uuid: makeUuid('MIG', `${gpu.uuid}/${at}`) })) }));
}

/** As the driver prints it. */
function makeUuid(kind: 'GPU' | 'MIG', seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${kind}-${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')}`;
}

/** Domain, bus, device, function. */
function makePciBusId(index: number): string {
  const bus = busNumbers[index % busNumbers.length] ?? '00';
  return `${String(Math.floor(index / busNumbers.length)).padStart(8, '0')}:${bus}:00.0`;
}

function findNvlinkDomain(index: number, count: number, nvlink: NvlinkShape): number | null {
  if (nvlink === 'none' || count < 2) return null;
  if (nvlink === 'switch') return 0;
  const isOddLast = index === count - 1 && count % 2 === 1;
  return isOddLast ? null : Math.floor(index / 2);
}
