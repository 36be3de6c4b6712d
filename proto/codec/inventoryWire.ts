import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GpuInfo as WireGpuInfo, NodeInventory as WireInventory, NodeInventorySchema } from '#gen/shoal/v1/node_pb.js';
import type { GpuInfo, NodeInventory } from '#vocabulary/topology.ts';
import { refuseField, required, safeInteger } from './wireValue.ts';

export function inventoryFromWire(wire: WireInventory | undefined, field: string): NodeInventory {
  const { address, bootId, agentVersion, path, cpuMilli, memoryBytes, gpus, os } = required(wire, field);
  const seen = new Set<number>();
  return {
    address,
    bootId,
    agentVersion,
    path,
    cpuMilli,
    memoryBytes: safeInteger(memoryBytes, `${field}.memory_bytes`),
    os,
    gpus: gpus.map((gpu, position) => {
      if (seen.has(gpu.index)) refuseField(`${field}.gpus[${position}].index`, `${gpu.index} is given twice`);
      seen.add(gpu.index);
      return gpuInfoFromWire(gpu, `${field}.gpus[${position}]`);
    }),
  };
}

export function inventoryToWire({ gpus, memoryBytes, path, ...rest }: NodeInventory): MessageInitShape<typeof NodeInventorySchema> {
  return { ...rest, path: [...path], memoryBytes: BigInt(memoryBytes), gpus: gpus.map(gpuInfoToWire) };
}

function gpuInfoFromWire({ index, uuid, model, memoryBytes, pciBusId, numaNode, nvlinkDomain }: WireGpuInfo, field: string): GpuInfo {
  return {
    index,
    uuid,
    model,
    memoryBytes: safeInteger(memoryBytes, `${field}.memory_bytes`),
    pciBusId,
    numaNode,
    nvlinkDomain: nvlinkDomain ?? null,
  };
}

export function gpuInfoToWire({ memoryBytes, nvlinkDomain, ...rest }: GpuInfo) {
  return { ...rest, memoryBytes: BigInt(memoryBytes), ...(nvlinkDomain === null ? {} : { nvlinkDomain }) };
}
