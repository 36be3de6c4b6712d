import type { NodeInventory } from '#vocabulary/topology.ts';
import type { NodePlan } from '../scenario/scenario.ts';

const gpuMemoryBytes = 80 * 2 ** 30;

/** What a simulated node tells of itself. */
export function inventoryOf(plan: NodePlan, bootId: string): NodeInventory {
  return {
    address: plan.name,
    bootId,
    agentVersion: 'simulated',
    path: plan.path,
    cpuMilli: plan.cpuMilli,
    memoryBytes: plan.memoryBytes,
    os: 'simulated',
    gpus: Array.from({ length: plan.gpus }, (_, index) => ({
      index,
      uuid: `GPU-${plan.name}-${index}`,
      model: plan.model,
      memoryBytes: gpuMemoryBytes,
      pciBusId: `0000:${index.toString(16).padStart(2, '0')}:00.0`,
      numaNode: Math.floor((index * 2) / Math.max(1, plan.gpus)),
      nvlinkDomain: Math.floor(index / plan.nvlinkSize),
      ...(plan.slots.length === 0
        ? {}
        : { slots: plan.slots.map((profile, at) => ({ profile, uuid: `MIG-${plan.name}-${index}-${at}` })) }),
    })),
  };
}
