import { deviceModel } from '#vocabulary/gpuProfile.ts';
import type { WorkerPlace } from '#vocabulary/job.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import type { NodeView } from '../../state/view.ts';
import type { Capacity, GpuFacts } from './capacity.ts';

/**
 * What of a node can be given away: its GPUs, and in place of each GPU in MIG mode its slots. To all that counts and
 * chooses, a slot is a whole device of a model of its own (`H100 MIG 1g.10gb`): it is never shared, never merged, and a GPU
 * that is divided is no GPU. Slots of one GPU stand together like GPUs of one NVLink domain, so that the rule for those
 * packs them: a worker's slot comes from the GPU with the fewest free ones.
 *
 * Outside, a place names the GPU and the slot's UUID; inside, a spot has the device's number. Here is the one seam.
 */
export function devicesOf(inventory: NodeInventory, health: NodeView['health']): readonly GpuFacts[] {
  const devices: GpuFacts[] = [];
  let number = Math.max(-1, ...inventory.gpus.map((gpu) => gpu.index)) + 1;
  for (const { index, model, nvlinkDomain, slots } of inventory.gpus) {
    const healthy = health[index]?.healthy === true;
    if (slots === undefined) devices.push({ index, model, nvlinkDomain, healthy });
    for (const { profile, uuid } of slots ?? []) {
      devices.push({ index: number, model: deviceModel(model, profile), nvlinkDomain: index, healthy, slotOf: { gpu: index, uuid } });
      number += 1;
    }
  }
  return devices;
}

/** Where a spot is, as the log and agents have it. */
export function placeAt(capacity: Capacity, { node, gpus }: { readonly node: number; readonly gpus: readonly number[] }): WorkerPlace {
  const name = capacity.nameOf(node);
  const [first] = gpus;
  const slot = first === undefined ? undefined : deviceOf(capacity, node, first)?.slotOf;
  return slot === undefined ? { node: name, gpus } : { node: name, gpus: [slot.gpu], slot: slot.uuid };
}

/** Mostly GPUs are listed in the order of their indices, and none is divided. */
function deviceOf(capacity: Capacity, node: number, number: number): GpuFacts | undefined {
  const { gpus } = capacity.factsOf(node);
  const likely = gpus[number];
  return likely?.index === number ? likely : gpus.find(({ index }) => index === number);
}

/** Numbers of a place's devices on its node, without those that are there no more. */
export function devicesAt(capacity: Capacity, node: number, { gpus, slot }: WorkerPlace): readonly number[] {
  const size = capacity.gpusOf(node);
  if (slot === undefined) return gpus.every((gpu) => gpu < size) ? gpus : gpus.filter((gpu) => gpu < size);
  const device = capacity.factsOf(node).gpus.find(({ slotOf }) => slotOf?.uuid === slot);
  return device === undefined ? [] : [device.index];
}
