import type { ShapeRequest } from '#core/schedule/fragmentation.ts';
import { GoRandom } from './goRandom.ts';
import type { OpenbNode } from './openbLists.ts';

/**
 * The inflation experiment of the FGD paper: pods come one by one and never leave, until they have asked for 130 % of
 * the cluster's GPUs; a pod that fits nowhere is dropped. How much of the cluster is then not given out?
 *
 * As in the paper's simulator: the list in the order of names is shuffled; then pods are drawn from it with replacement
 * until the next would pass 130 %. What is not given out is the mean over the arrivals at which the demand, rounded to
 * whole percents, is 130.
 */
const inflationPercent = 130;

/** Places the pod, keeps account of it, and says whether it found room. */
export type Placer = (pod: ShapeRequest) => boolean;

export interface InflationResult {
  /** Percent of all milli-GPU. */
  readonly unallocatedPercent: number;
  readonly dropped: number;
}

export function inflationOrder(pods: readonly ShapeRequest[], capacityMilli: number, seed: number): readonly ShapeRequest[] {
  const random = new GoRandom(seed);
  random.int63(); // The paper's simulator draws one number before it shuffles.
  const order = [...pods];
  random.shuffle(order);
  let demand = order.reduce((sum, pod) => sum + gpuMilliOf(pod), 0);
  for (;;) {
    const pod = pods[random.intn(pods.length)];
    if (pod === undefined || demand + gpuMilliOf(pod) > (inflationPercent / 100) * capacityMilli) return order;
    demand += gpuMilliOf(pod);
    order.push(pod);
  }
}

export function runInflation(order: readonly ShapeRequest[], capacityMilli: number, place: Placer): InflationResult {
  let demand = 0;
  let allocated = 0;
  let dropped = 0;
  const samples: number[] = [];
  for (const pod of order) {
    demand += gpuMilliOf(pod);
    if (place(pod)) allocated += gpuMilliOf(pod);
    else dropped += 1;
    if (Math.round((100 * demand) / capacityMilli) === inflationPercent) samples.push((100 * allocated) / capacityMilli);
  }
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  return { unallocatedPercent: 100 - mean, dropped };
}

export function capacityMilliOf(nodes: readonly OpenbNode[]): number {
  return nodes.reduce((sum, node) => sum + node.room.gpuMilliFree.length * 1000, 0);
}

function gpuMilliOf(pod: ShapeRequest): number {
  return pod.gpus * pod.gpuMilli;
}
