import type { Epoch, Generation, NodeName } from './ids.ts';
import type { GpuHealth, GpuSample, ObservedWorker } from './observed.ts';
import type { NodeInventory } from './topology.ts';

/** Version of the agent protocol. The controller refuses another one and names both. */
export const protocolVersion = 1;

/** How an agent opens its session. */
export interface Hello {
  readonly node: NodeName;
  readonly protocolVersion: number;
  readonly agentVersion: string;
  readonly inventory: NodeInventory;
  /** Highest leader epoch that the agent has obeyed; 0: none. */
  readonly epochSeen: Epoch;
  readonly workers: readonly ObservedWorker[];
  readonly gpuHealth: readonly GpuHealth[];
  readonly labels: Readonly<Record<string, string>>;
}

/** All that an agent sees. */
export interface Report {
  /** Grows by one each report of a session. */
  readonly sequence: number;
  /** Of the last assignment that was taken over; 0: none. */
  readonly generation: Generation;
  readonly workers: readonly ObservedWorker[];
  readonly gpuHealth: readonly GpuHealth[];
  readonly samples: readonly GpuSample[];
}
