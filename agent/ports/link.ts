import type { Assignment } from '#vocabulary/assignment.ts';
import type { Epoch, Generation } from '#vocabulary/ids.ts';
import type { GpuHealth, GpuSample, ObservedWorker } from '#vocabulary/observed.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';

/** The session with the controller: it reconnects by itself, for as long as the agent lives. */
export interface Link {
  /** There is something new to report. It is sent within 20 ms unless an earlier report still waits for its receipt. */
  changed(): void;
  close(): Promise<void>;
}

/** The node's side of the session; every method answers at once. */
export interface NodeSession {
  hello(): NodeHello;
  report(): NodeReport;
  /** A controller answered. The result says why it is not obeyed (its epoch is over); null: it is. */
  onWelcome(epoch: Epoch): string | null;
  onAssignment(assignment: Assignment): void;
  /** What was reported with this version, and everything before, is durable at the controller. */
  onAcknowledged(version: number): void;
}

export interface NodeHello {
  readonly inventory: NodeInventory;
  readonly epochSeen: Epoch;
  readonly workers: readonly ObservedWorker[];
  readonly gpuHealth: readonly GpuHealth[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface NodeReport {
  /** Grows with every change of what is reported. */
  readonly version: number;
  readonly generation: Generation;
  readonly workers: readonly ObservedWorker[];
  readonly gpuHealth: readonly GpuHealth[];
  readonly samples: readonly GpuSample[];
}
