import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  GpuInfo as WireGpuInfo,
  GpuSlot as WireGpuSlot,
  NodeInventory as WireInventory,
  NodeInventorySchema,
} from '#gen/shoal/v1/node_pb.js';
import { findDivisionProblem, isGpuProfile } from '#vocabulary/gpuProfile.ts';
import type { GpuInfo, GpuSlot, NodeInventory } from '#vocabulary/topology.ts';
import { excerpt } from './fieldProblem.ts';
import { refuseField, required, safeInteger } from './wireValue.ts';

export function inventoryFromWire(wire: WireInventory | undefined, field: string): NodeInventory {
  const { address, bootId, agentVersion, path, cpuMilli, memoryBytes, gpus, os } = required(wire, field);
  const seen = new Set<number>();
  judgeSlots(gpus, `${field}.gpus`);
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

function gpuInfoFromWire(
  { index, uuid, model, memoryBytes, pciBusId, numaNode, nvlinkDomain, slots }: WireGpuInfo,
  field: string,
): GpuInfo {
  return {
    index,
    uuid,
    model,
    memoryBytes: safeInteger(memoryBytes, `${field}.memory_bytes`),
    pciBusId,
    numaNode,
    nvlinkDomain: nvlinkDomain ?? null,
    ...(slots.length === 0 ? {} : { slots: slots.map((slot, position) => gpuSlotFromWire(slot, `${field}.slots[${position}]`)) }),
  };
}

export function gpuSlotFromWire({ profile, uuid }: WireGpuSlot, field: string): GpuSlot {
  if (!isGpuProfile(profile)) refuseField(`${field}.profile`, `${excerpt(profile)} is no MIG profile; allowed: such as 1g.10gb`);
  if (uuid === '') refuseField(`${field}.uuid`, 'required, but empty');
  return { profile, uuid };
}

/** Slots have names of their own, and those of a GPU are no more than the GPU. */
function judgeSlots(gpus: readonly WireGpuInfo[], field: string): void {
  const seen = new Set<string>();
  for (const [position, { slots }] of gpus.entries()) {
    const problem = findDivisionProblem(slots.map(({ profile }) => profile));
    if (problem !== null) refuseField(`${field}[${position}].slots`, problem);
    for (const [at, { uuid }] of slots.entries()) {
      if (seen.has(uuid)) refuseField(`${field}[${position}].slots[${at}].uuid`, `${excerpt(uuid)} is given twice`);
      seen.add(uuid);
    }
  }
}

export function gpuInfoToWire({ memoryBytes, nvlinkDomain, slots = [], ...rest }: GpuInfo) {
  return { ...rest, memoryBytes: BigInt(memoryBytes), ...(nvlinkDomain === null ? {} : { nvlinkDomain }), slots: [...slots] };
}
