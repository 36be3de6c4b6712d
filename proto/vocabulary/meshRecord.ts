import type { MeshAxis } from './job.ts';

/** How the axes of a gang's mesh were laid over its places, and what that was predicted to cost. Kept with the attempt. */
export interface MeshRecord {
  /** Slowest first: the last one varies fastest over the GPUs in rank order. */
  readonly order: readonly MeshAxis[];
  /** In that order; axes of size 1 are left out. */
  readonly costs: readonly AxisCost[];
  /** The same places in random order, the mean of a few. Microseconds a step. */
  readonly randomMicros: number;
  /** The places and the order of topology packing that knows no mesh. Microseconds a step. */
  readonly packedMicros: number;
}

export interface AxisCost {
  readonly axis: MeshAxis;
  /** Microseconds a step. */
  readonly micros: number;
  /** Whose links are the bottleneck: `nvlink`, `rail`, or a level; `cluster` are those between domains of the outermost one. */
  readonly bound: string;
}

/** Microseconds a step, of all axes: their traffic is taken not to overlap. */
export const totalMicros = (record: Pick<MeshRecord, 'costs'>): number => record.costs.reduce((sum, { micros }) => sum + micros, 0);
