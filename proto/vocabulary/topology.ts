import type { GpuProfile } from './gpuProfile.ts';

/** Levels from the outermost to the node itself; names and depth are cluster configuration. */
export type Levels = readonly string[];
export const defaultLevels: Levels = ['zone', 'block', 'rack', 'node'];

/** What a node is: reported by its agent, kept by the controller. */
export interface NodeInventory {
  /** Where ranks reach each other: host name or IP. */
  readonly address: string;
  readonly bootId: string;
  readonly agentVersion: string;
  /** Domain names, outermost first, without the node itself: one less than the levels. */
  readonly path: readonly string[];
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly gpus: readonly GpuInfo[];
}

export interface GpuInfo {
  readonly index: number;
  readonly uuid: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly pciBusId: string;
  readonly numaNode: number;
  /** GPUs of one node with the same number talk over NVLink; null: PCIe only. */
  readonly nvlinkDomain: number | null;
  /** In MIG mode: the fixed slots that it is divided into, at least one; it is given away by slots only. Absent: it is whole. */
  readonly slots?: readonly GpuSlot[];
}

/** A MIG device. */
export interface GpuSlot {
  readonly profile: GpuProfile;
  /** Distinct within the node. */
  readonly uuid: string;
}

/** A domain's identity: its path joined, so that rack r1 of block b1 differs from r1 of b2. */
export const domainKey = (path: readonly string[], depth: number): string => path.slice(0, depth).join('/');
