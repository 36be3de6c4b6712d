/** The node's side of the session with the controller: what is said of the node, and what is heard. */
import type { Logger } from 'pino';
import type { Assignment } from '#vocabulary/assignment.ts';
import type { Epoch } from '#vocabulary/ids.ts';
import type { GpuHealth, GpuSample } from '#vocabulary/observed.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import { acceptAssignment, acceptEpoch } from '../core/acceptAssignment.ts';
import { observe } from '../core/observe.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Gpu } from '../ports/gpu.ts';
import type { NodeHello, NodeReport, NodeSession } from '../ports/link.ts';
import type { Background } from './background.ts';
import type { NodeLoop } from './nodeLoop.ts';

export interface SessionParts {
  readonly loop: NodeLoop;
  readonly gpu: Gpu;
  readonly clock: Clock;
  readonly inventory: NodeInventory;
  readonly labels: Readonly<Record<string, string>>;
  readonly background: Background;
  readonly log: Logger;
}

export class ControllerSession implements NodeSession {
  readonly #parts: SessionParts;
  #health: readonly GpuHealth[] = [];
  #samples: readonly GpuSample[] = [];
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #sampling = false;
  #acknowledged = -1;
  readonly #onAcknowledged = new Set<() => void>();
  readonly #onHealth = new Set<() => void>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    parts.gpu.onHealthChange(() => parts.background.spawn('gpu health', () => this.refreshHealth()));
  }

  /** Reads the health of the GPUs. A device that cannot be read keeps the health that it had. */
  async refreshHealth(): Promise<void> {
    this.#health = await this.#parts.gpu.health();
    const sick = this.#health.filter(({ healthy }) => !healthy);
    if (sick.length > 0) this.#parts.log.warn({ gpus: sick }, 'GPUs are not healthy');
    for (const listener of [...this.#onHealth]) listener();
  }

  onHealth(listener: () => void): () => void {
    this.#onHealth.add(listener);
    return () => this.#onHealth.delete(listener);
  }

  hello(): NodeHello {
    const { loop, inventory, labels } = this.#parts;
    const { state } = loop.durable();
    return { inventory, labels, epochSeen: state.seen.epoch, workers: observe(state), gpuHealth: this.#health };
  }

  report(): NodeReport {
    this.#sample();
    const { state, version } = this.#parts.loop.durable();
    return { version, generation: state.seen.generation, workers: observe(state), gpuHealth: this.#health, samples: this.#samples };
  }

  onWelcome(leader: Epoch): string | null {
    const accepted = acceptEpoch(this.#parts.loop.state(), leader);
    if (!accepted.ok) return accepted.reason;
    this.#parts.loop.change(() => accepted.state);
    return null;
  }

  onAssignment(assignment: Assignment): void {
    const { loop, log } = this.#parts;
    const accepted = acceptAssignment(loop.state(), assignment);
    const facts = { epoch: assignment.epoch, generation: assignment.generation, workers: assignment.workers.length };
    if (!accepted.ok) return log.warn({ ...facts, reason: accepted.reason }, 'assignment refused');
    log.info(facts, 'assignment taken over');
    loop.change(() => accepted.state);
  }

  onAcknowledged(version: number): void {
    if (version <= this.#acknowledged) return;
    this.#acknowledged = version;
    for (const listener of [...this.#onAcknowledged]) listener();
  }

  /** For the workload desk. */
  receipts(): { acknowledged(): number; onAcknowledged(listener: () => void): () => void } {
    return {
      acknowledged: () => this.#acknowledged,
      onAcknowledged: (listener) => {
        this.#onAcknowledged.add(listener);
        return () => this.#onAcknowledged.delete(listener);
      },
    };
  }

  /** Readings are taken beside the report, never waited for: a driver that hangs must not cost a heartbeat. */
  #sample(): void {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#sampling || nowMs - this.#sampledAtMs < limits.sampleAgeMs) return;
    this.#sampling = true;
    this.#sampledAtMs = nowMs;
    this.#parts.background.spawn('gpu sample', async () => {
      try {
        this.#samples = await this.#parts.gpu.sample();
      } finally {
        this.#sampling = false;
      }
    });
  }
}
