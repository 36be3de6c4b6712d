import type { Launch } from '#vocabulary/assignment.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';

interface Holder {
  readonly gpus: readonly number[];
  readonly launch: Pick<Launch, 'gpuShareMilli'>;
}

/**
 * What the workers of this node hold of each GPU, in thousandths. Several may share one as long as they take no more
 * than the whole: the same promise that the controller keeps, kept once more where the processes are.
 */
export class HeldGpus {
  readonly #milli = new Map<number, number>();

  hasRoomFor({ gpus, launch }: Holder): boolean {
    return gpus.every((gpu) => (this.#milli.get(gpu) ?? 0) + milliPerGpu(launch) <= gpuMilliPerGpu);
  }

  take({ gpus, launch }: Holder): void {
    for (const gpu of gpus) this.#milli.set(gpu, (this.#milli.get(gpu) ?? 0) + milliPerGpu(launch));
  }
}
