import { isAllowedSize } from '#vocabulary/elastic.ts';
import type { Placement } from '#vocabulary/job.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView } from '../../state/view.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { shapeOf } from '../clusterRoom.ts';

/**
 * Takes a place elsewhere for a job that may still run: what of it the job does not hold itself today. So the place is
 * whole as soon as the job has left, whatever others do meanwhile. null, and nothing taken: it is not to be had.
 */
export function keepPlace(
  { room: { capacity } }: ClusterRoom,
  job: JobView,
  place: { readonly placement: Placement; readonly model: string | null },
): readonly Hold[] | null {
  const { placement, model } = place;
  const { spec } = job;
  if (!isAllowedSize(spec, placement.length)) return null;
  const shape = shapeOf(spec, model);
  const own = new OwnParts(currentAttempt(job)?.placement ?? []);
  const modelNumber = model === null ? -1 : capacity.modelNumber(model);
  const holds: Hold[] = [];
  const mark = capacity.mark();
  for (const { node: name, gpus } of placement) {
    const node = capacity.topology.numberOf.get(name);
    const known = node !== undefined && capacity.isOpen(node) && !spec.avoidNodes.includes(name);
    const missing = gpus.filter((gpu) => !own.takeGpu(name, gpu));
    const stays = own.takeWorker(name);
    const [cpuMilli, memoryBytes] = stays ? [0, 0] : [shape.cpuMilli, shape.memoryBytes];
    const isFree =
      known &&
      missing.every((gpu) => capacity.freeMilli(node, gpu, modelNumber) >= shape.gpuMilli) &&
      (cpuMilli === 0 || capacity.cpuFreeMilli(node) >= cpuMilli) &&
      (memoryBytes === 0 || capacity.memoryFreeBytes(node) >= memoryBytes);
    if (!isFree) {
      capacity.rollback(mark);
      return null;
    }
    if (missing.length === 0 && cpuMilli === 0 && memoryBytes === 0) continue;
    const hold: Hold = { owner: null, node, gpus: missing, gpuMilli: shape.gpuMilli, cpuMilli, memoryBytes };
    capacity.take(hold);
    holds.push(hold);
  }
  capacity.keep();
  return holds;
}

/** What the job holds now, to be used once: a worker's GPUs, and its processors and memory on the node. */
class OwnParts {
  readonly #gpus = new Map<string, number>();
  readonly #workers = new Map<string, number>();

  constructor(placement: Placement) {
    for (const { node, gpus } of placement) {
      count(this.#workers, node, 1);
      for (const gpu of gpus) count(this.#gpus, `${node} ${gpu}`, 1);
    }
  }

  takeGpu(node: string, gpu: number): boolean {
    return takeOne(this.#gpus, `${node} ${gpu}`);
  }

  takeWorker(node: string): boolean {
    return takeOne(this.#workers, node);
  }
}

function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function takeOne(counts: Map<string, number>, key: string): boolean {
  const left = counts.get(key) ?? 0;
  if (left > 0) counts.set(key, left - 1);
  return left > 0;
}
