import type { WorkerShape } from '../capacity/shape.ts';

/** What a gang asks of the cluster, compiled: levels are depths, names are numbers. */
export interface GangRequest {
  /** Placed in this order, each whole. One for a training job; several for a gang of unlike workers. */
  readonly groups: readonly WorkerGroup[];
  /** The whole gang is inside one domain of this depth or deeper; 0: anywhere. */
  readonly requiredDepth: number;
  /** At most `max` workers in one domain of the depth. */
  readonly spread: { readonly depth: number; readonly max: number } | null;
  /** Domains of this depth that hold a worker hold nobody else; null: no such wish. */
  readonly exclusiveDepth: number | null;
  /** `tight` leaves large holes, `even` balances workers over as few domains as hold them (max-min). */
  readonly packing: 'tight' | 'even';
  readonly allowed: AllowedNodes | null;
}

export interface WorkerGroup {
  readonly workers: number;
  readonly shape: WorkerShape;
  /**
   * Groups of consecutive workers that stay inside one domain of a depth; outermost first. Each size divides the one
   * before, the first divides `workers`.
   */
  readonly segments: readonly { readonly depth: number; readonly workers: number }[];
}

/** Which nodes may be used, 1 or 0 by number; equal keys mean equal masks. */
export interface AllowedNodes {
  readonly key: string;
  readonly mask: Uint8Array;
}

/** A worker's place in numbers. */
export interface Spot {
  readonly node: number;
  readonly gpus: readonly number[];
}

/** Spots of each group, in worker order. */
export type GangSpots = readonly (readonly Spot[])[];

/** A gang that may stand anywhere. */
export function anywhere(groups: readonly WorkerGroup[], requiredDepth = 0): GangRequest {
  return { groups, requiredDepth, spread: null, exclusiveDepth: null, packing: 'tight', allowed: null };
}
