import fc from 'fast-check';
import { jobUid, nodeName } from '#vocabulary/ids.ts';
import type { Capacity, Hold, NodeFacts } from '../capacity/capacity.ts';
import { range } from './smallCluster.ts';

/** Nodes of every kind: mixed models, sick GPUs, gaps in the indices, limits of CPU and memory or none, closed ones. */
const anyNodeFacts: fc.Arbitrary<Omit<NodeFacts, 'name' | 'path'> & { readonly rack: string }> = fc.record({
  rack: fc.constantFrom('r1', 'r2', 'r3'),
  open: fc.nat(5).map((n) => n > 0),
  cpuMilli: fc.constantFrom(null, 4_000, 10_000),
  memoryBytes: fc.constantFrom(null, 64, 1_000),
  labels: fc.constant({}),
  gpus: fc
    .array(
      fc.record({
        model: fc.constantFrom('A100', 'A100', 'H100'),
        nvlinkDomain: fc.constantFrom(null, 0, 1),
        healthy: fc.nat(5).map((n) => n > 0),
        here: fc.nat(5).map((n) => n > 0),
      }),
      { maxLength: 5 },
    )
    .map((gpus) => gpus.flatMap(({ here, ...gpu }, index) => (here ? [{ index, ...gpu }] : []))),
});

export const anyNodes: fc.Arbitrary<readonly NodeFacts[]> = fc
  .array(anyNodeFacts, { minLength: 1, maxLength: 6 })
  .map((nodes) => nodes.map(({ rack, ...facts }, at) => ({ ...facts, name: nodeName(`n${at}`), path: [rack] })));

/** One change; the numbers are read modulo what there is to choose from. */
export interface Change {
  readonly kind: 'take' | 'give' | 'mark' | 'rollback' | 'keep' | 'setNode';
  readonly node: number;
  readonly pick: number;
}

export const anyChange: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('take', 'take', 'take', 'give', 'mark', 'rollback', 'keep', 'setNode'),
  node: fc.nat(5),
  pick: fc.nat(1_000),
});

/** A hold that fits on the node's GPUs, sick ones too: they may still be held. */
export function fittingHold(capacity: Capacity, node: number, pick: number): Hold {
  const gpuMilli = [1_000, 1_000, 500, 250][pick % 4] ?? 1_000;
  const known = capacity.factsOf(node).gpus.map((gpu) => gpu.index);
  const left = (gpu: number): number =>
    1_000 - capacity.holdsOf(node).reduce((sum, hold) => sum + (hold.gpus.includes(gpu) ? hold.gpuMilli : 0), 0);
  const fitting = known.filter((gpu) => left(gpu) >= gpuMilli);
  const gpus = gpuMilli === 1_000 ? fitting.filter((_, at) => (pick >> (at + 2)) & 1) : fitting.slice(0, 1);
  return { owner: jobUid(`j${pick}`), node, gpus, gpuMilli, cpuMilli: (pick % 3) * 500, memoryBytes: pick % 7 };
}

/** What a reader sees, reckoned anew from the facts and the holds; to compare with `pictureOf`. */
export function naivePicture(
  capacity: Capacity,
  nodes: readonly { readonly facts: NodeFacts; readonly holds: readonly Hold[] }[],
): unknown {
  return nodes.map(({ facts, holds }, node) => {
    const heldMilli = (gpu: number): number => holds.reduce((sum, hold) => sum + (hold.gpus.includes(gpu) ? hold.gpuMilli : 0), 0);
    const free = (gpu: number): number => (facts.gpus.some((each) => each.index === gpu && each.healthy) ? 1_000 - heldMilli(gpu) : 0);
    const sum = (of: (hold: Hold) => number): number => holds.reduce((total, hold) => total + of(hold), 0);
    return {
      open: facts.open,
      free: range(capacity.gpusOf(node)).map(free),
      whole: capacity.models.map((model) => facts.gpus.filter((gpu) => gpu.model === model && free(gpu.index) === 1_000).length),
      cpu: (facts.cpuMilli ?? Number.POSITIVE_INFINITY) - sum((hold) => hold.cpuMilli),
      memory: (facts.memoryBytes ?? Number.POSITIVE_INFINITY) - sum((hold) => hold.memoryBytes),
      gpuless: 64 - holds.filter((hold) => hold.gpus.length === 0).length,
      holds: holds.map((hold) => JSON.stringify(hold)).sort(),
    };
  });
}
