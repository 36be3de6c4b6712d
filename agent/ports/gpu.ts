import type { GpuHealth, GpuSample } from '#vocabulary/observed.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';

/** The devices of this node. One adapter now: simulated ones, with a control socket that injects faults. */
export interface Gpu {
  /** In index order. Does not change while the agent lives. */
  inventory(): Promise<readonly GpuInfo[]>;
  health(): Promise<readonly GpuHealth[]>;
  sample(): Promise<readonly GpuSample[]>;
  /** Called when the health of a device changed. */
  onHealthChange(listener: () => void): void;
  close(): Promise<void>;
}
