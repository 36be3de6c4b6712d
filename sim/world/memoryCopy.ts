import type { SimAgent } from './simAgent.ts';

/** A checkpoint in the memory of each worker's node and of the next worker's: it outlives one node, not two neighbours. */
export interface MemoryCopy {
  readonly step: number;
  readonly atMs: number;
  /** The node of each worker, in worker order. */
  readonly holders: readonly SimAgent[];
}

/** The step that can be loaded now; 0: nothing. */
export function survivingStep(copy: MemoryCopy | null): number {
  if (copy === null) return 0;
  const isLost = (holder: SimAgent | undefined): boolean => holder === undefined || holder.memoryLostAtMs >= copy.atMs;
  const { holders } = copy;
  const whole = holders.every((holder, at) => !isLost(holder) || (holders.length > 1 && !isLost(holders[(at + 1) % holders.length])));
  return whole ? copy.step : 0;
}
