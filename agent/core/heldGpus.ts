import type { Launch } from '#vocabulary/assignment.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';

interface Holder {
  readonly gpus: readonly number[];
  readonly launch: Pick<Launch, 'gpuShareMilli' | 'gpuSlot'>;
}

/** Thousandths of each of its GPUs. */
const launchMilli = ({ gpuShareMilli, gpuSlot }: Holder['launch']): number =>
  milliPerGpu({ gpuShareMilli, gpuProfile: gpuSlot?.profile ?? null });

/**
 * What the workers of this node hold of each GPU, in thousandths, and which slots. Several may share a GPU as long as
 * they take no more than the whole, and nobody shares a slot: the same promise that the controller keeps, kept once more
 * where the processes are.
 */
export class HeldGpus {
  readonly #milli = new Map<number, number>();
  readonly #slots = new Set<string>();

  hasRoomFor({ gpus, launch }: Holder): boolean {
    if (launch.gpuSlot !== undefined && this.#slots.has(launch.gpuSlot.uuid)) return false;
    return gpus.every((gpu) => (this.#milli.get(gpu) ?? 0) + launchMilli(launch) <= gpuMilliPerGpu);
  }

  take({ gpus, launch }: Holder): void {
    for (const gpu of gpus) this.#milli.set(gpu, (this.#milli.get(gpu) ?? 0) + launchMilli(launch));
    if (launch.gpuSlot !== undefined) this.#slots.add(launch.gpuSlot.uuid);
  }
}
