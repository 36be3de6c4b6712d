import { desiredFor } from '#core/desired.ts';
import type { StateView } from '#core/state/view.ts';
import type { Clock } from '#controller/ports/clock.ts';
import type { Assignment } from '#vocabulary/assignment.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { GpuSample } from '#vocabulary/observed.ts';
import type { Loop } from './loop.ts';

/** One agent's open session, as the loop needs it. */
export interface Session {
  readonly node: NodeName;
  send(assignment: Assignment): void;
  /** Asks the agent to open a stream of logs; its parts arrive elsewhere, under the request's id. */
  requestLogs(wanted: WantedLogs): void;
  close(why: string): void;
}

export interface WantedLogs {
  readonly requestId: string;
  readonly id: WorkerId;
  readonly ranks: readonly number[];
  readonly stream: string;
  readonly follow: boolean;
  /** Lines from the end; null: all. */
  readonly tail: number | null;
}

interface Connection {
  readonly session: Session;
  /** It has been welcomed: assignments may follow. */
  welcomed: boolean;
  sentGeneration: number;
  sentEpoch: number;
}

/**
 * Who is connected, when each node was last heard of, and what it was last sent. Not part of the state: all of it is
 * gone with the process, and comes back with the sessions.
 */
export class Sessions {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #lostAfterMs: number;
  readonly #connections = new Map<NodeName, Connection>();
  readonly #heardAtMs = new Map<NodeName, number>();
  readonly #samples = new Map<NodeName, readonly GpuSample[]>();
  readonly #startedAtMs: number;

  constructor(loop: Loop, clock: Clock, lostAfterMs: number) {
    this.#loop = loop;
    this.#clock = clock;
    this.#lostAfterMs = lostAfterMs;
    this.#startedAtMs = clock.monotonicMs();
    loop.onCommit((state) => this.#push(state));
  }

  /** The node is there. It has one session: a new one ends the old one. */
  register(session: Session): void {
    this.#connections.get(session.node)?.session.close('the node opened another session');
    this.#connections.set(session.node, { session, welcomed: false, sentGeneration: -1, sentEpoch: -1 });
    this.heard(session.node);
  }

  /** From now on it is sent its desired set, the whole of it at once. */
  async welcome(session: Session): Promise<void> {
    const connection = this.#connections.get(session.node);
    if (connection?.session !== session) return;
    connection.welcomed = true;
    await this.#loop.read((state) => this.#push(state));
  }

  closed(session: Session): void {
    if (this.#connections.get(session.node)?.session === session) this.#connections.delete(session.node);
  }

  heard(node: NodeName): void {
    this.#heardAtMs.set(node, this.#clock.monotonicMs());
  }

  noteSamples(node: NodeName, samples: readonly GpuSample[]): void {
    if (samples.length > 0) this.#samples.set(node, samples);
  }

  /** Readings of the last report; none while the node is away. */
  samplesOf(node: NodeName): readonly GpuSample[] {
    return this.#connections.has(node) ? (this.#samples.get(node) ?? []) : [];
  }

  /** False: the node is not connected. */
  requestLogs(node: NodeName, wanted: WantedLogs): boolean {
    const connection = this.#connections.get(node);
    connection?.session.requestLogs(wanted);
    return connection !== undefined;
  }

  isConnected(node: NodeName): boolean {
    return this.#connections.has(node);
  }

  hasBeenHeard(node: NodeName): boolean {
    return this.#heardAtMs.has(node);
  }

  /** Milliseconds since anything was heard of the node; since the start of the controller when nothing was. */
  silentMs(node: NodeName): number {
    return this.#clock.monotonicMs() - (this.#heardAtMs.get(node) ?? this.#startedAtMs);
  }

  /** Tells the core about nodes that have been silent for too long, until the signal aborts. */
  watchSilence(periodMs: number, signal: AbortSignal, onError: (error: unknown) => void): void {
    const asked = new Set<NodeName>();
    const look = (state: StateView): void => {
      for (const node of state.nodes.values()) {
        const silentMs = this.silentMs(node.name);
        if (node.availability.kind === 'lost' || silentMs < this.#lostAfterMs || asked.has(node.name)) continue;
        asked.add(node.name);
        this.#connections.get(node.name)?.session.close(`silent for ${Math.round(silentMs)} ms`);
        this.#connections.delete(node.name);
        this.#loop
          .offer({ kind: 'nodeSilent', node: node.name, silentMs })
          .catch(onError)
          .finally(() => asked.delete(node.name));
      }
    };
    let lookedAtMs = this.#clock.monotonicMs();
    const onTimer = (): void => {
      const nowMs = this.#clock.monotonicMs();
      // This process itself was away (stopped, swapped out): what agents said meanwhile is still unread, so nobody counts as silent.
      if (nowMs - lookedAtMs > periodMs * 4) for (const node of this.#heardAtMs.keys()) this.heard(node);
      lookedAtMs = nowMs;
      this.#loop.read(look).catch(onError);
    };
    this.#clock.every(periodMs, onTimer, signal);
  }

  /** Sends every connected node whose desired set has moved. */
  #push(state: StateView): void {
    for (const [name, connection] of this.#connections) {
      const node = state.nodes.get(name);
      if (
        node === undefined ||
        !connection.welcomed ||
        (node.generation === connection.sentGeneration && state.epoch === connection.sentEpoch)
      )
        continue;
      connection.sentGeneration = node.generation;
      connection.sentEpoch = state.epoch;
      connection.session.send(desiredFor(state, name));
    }
  }
}
