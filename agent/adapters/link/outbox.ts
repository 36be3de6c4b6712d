/**
 * What the agent sends in one session, paced: hello first; after Welcome a report each heartbeat, and one at once when
 * something changed. At most one changed report waits for its receipt; what changes meanwhile is in the next one.
 */
import type { NodeHello, NodeReport } from '../../ports/link.ts';
import type { Clock } from '../../ports/clock.ts';

export type Outgoing =
  | { readonly kind: 'hello'; readonly hello: NodeHello }
  | { readonly kind: 'report'; readonly sequence: number; readonly report: NodeReport };

export interface OutboxParts {
  readonly hello: () => NodeHello;
  readonly report: () => NodeReport;
  readonly clock: Clock;
  /** Least time between two reports. */
  readonly gapMs: number;
}

export class Outbox {
  readonly #parts: OutboxParts;
  #closed = false;
  /** Null: not welcomed yet. */
  #heartbeatMs: number | null = null;
  #sequence = 0;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #changed = true;
  /** Versions of reports without a receipt, by sequence. */
  readonly #waiting = new Map<number, number>();
  #wake: () => void = () => undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  onWelcome(heartbeatMs: number): void {
    this.#heartbeatMs = heartbeatMs;
    this.#wake();
  }

  changed(): void {
    this.#changed = true;
    this.#wake();
  }

  /** A receipt arrived. Answers the version that is durable with it; null: it is for nothing that waits. */
  onReceipt(sequence: number): number | null {
    let version: number | null = null;
    for (const [sent, reported] of this.#waiting) {
      if (sent > sequence) break;
      version = reported;
      this.#waiting.delete(sent);
    }
    this.#wake();
    return version;
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Ends soon after `close`. */
  async *messages(): AsyncGenerator<Outgoing> {
    yield { kind: 'hello', hello: this.#parts.hello() };
    for (;;) {
      while (!this.#closed && this.#parts.clock.nowMs() < this.#dueAtMs()) await this.#sleep();
      if (this.#closed) return;
      yield this.#nextReport();
    }
  }

  #nextReport(): Outgoing {
    const report = this.#parts.report();
    this.#sequence += 1;
    this.#sentAtMs = this.#parts.clock.nowMs();
    this.#changed = false;
    this.#waiting.set(this.#sequence, report.version);
    return { kind: 'report', sequence: this.#sequence, report };
  }

  #dueAtMs(): number {
    if (this.#heartbeatMs === null) return Number.POSITIVE_INFINITY;
    return this.#sentAtMs + (this.#changed && this.#waiting.size === 0 ? this.#parts.gapMs : this.#heartbeatMs);
  }

  async #sleep(): Promise<void> {
    const atMs = this.#dueAtMs();
    await new Promise<void>((resolve) => {
      const cancel = atMs === Number.POSITIVE_INFINITY ? () => undefined : this.#parts.clock.wakeAt(atMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => undefined;
  }
}
