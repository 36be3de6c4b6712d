import type { Policy } from '#core/context.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import type { LastPass } from '#core/schedule/explain/explainWait.ts';
import type { State } from '#core/state/state.ts';
import type { StateView } from '#core/state/view.ts';
import { step } from '#core/step.ts';
import type { StepResult } from '#core/step.ts';
import type { Clock } from '#controller/ports/clock.ts';
import type { Store } from '#controller/ports/store.ts';
import { StoreError } from '#controller/ports/store.ts';
import type { Telemetry } from '#controller/ports/telemetry.ts';
import type { Revision } from '#vocabulary/ids.ts';
import { epoch, revision } from '#vocabulary/ids.ts';
import type { Entry } from './inbox.ts';
import { Inbox, NotTaken } from './inbox.ts';
import { printLine } from './logLine.ts';
import { recover } from './recover.ts';

/**
 * inbox → step → commit → tell. The only writer of the state. One batch at a time: while the store makes one durable,
 * the next gathers in the inbox (group commit). Nothing of a batch is told to anybody, reader or agent, before it is durable.
 *
 * When the store cannot take a batch, the state is read back from the store (so it is never ahead of it), requests are
 * refused with the reason, and every `probeMs` the loop tries to write again; reading goes on meanwhile.
 */
export interface LoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly policy: Policy;
  readonly version: string;
  readonly inboxMax: number;
  readonly batchMax: number;
  readonly snapshotEvery: number;
  readonly probeMs: number;
}

/** Called right after a batch is durable, with exactly that state; must not wait. */
export type CommitListener = (state: StateView, events: readonly StampedEvent[]) => void;

export class Loop {
  readonly #options: LoopOptions;
  readonly #inbox: Inbox;
  readonly #listeners = new Set<CommitListener>();
  #state: State;
  #lastPass: LastPass = { waits: new Map(), atMs: 0 };
  #steppedAtMs = 0;
  #committed: Revision;
  #snapshotAt: Revision;
  /** Reads that came while a batch was under way. */
  readonly #readers: { readonly look: () => void; readonly fail: (error: Error) => void }[] = [];

  private constructor(options: LoopOptions, state: State) {
    this.#options = options;
    this.#inbox = new Inbox(options.inboxMax);
    this.#state = state;
    this.#committed = state.revision;
    this.#snapshotAt = state.revision;
  }

  /** Reads the store and becomes ready; `run` must follow. Throws StoreError. */
  static async open(options: LoopOptions): Promise<Loop> {
    return new Loop(options, await recover(options.store, options.policy.recentEventsMax));
  }

  /** Resolves with the core's answer when its events are durable. Rejects with NotTaken. */
  offer(input: Input): Promise<Reply> {
    return this.#inbox.offer(input);
  }

  /** Looks at the state when all of it is durable: at once, or after the batch under way. What looks may act on what it sees. */
  read<T>(look: (state: StateView, lastPass: LastPass) => T): Promise<T> {
    return new Promise((settle, fail) => {
      const lookNow = (): void => {
        try {
          settle(look(this.#state, this.#lastPass));
        } catch (error) {
          fail(error);
        }
      };
      const { refusal } = this.#inbox;
      if (this.#state.revision === this.#committed) lookNow();
      else if (refusal?.why === 'closed') fail(refusal);
      else this.#readers.push({ look: lookNow, fail });
    });
  }

  onCommit(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why requests are refused now; null: they are not. */
  get degraded(): string | null {
    return this.#inbox.refusal?.message ?? null;
  }

  get revision(): Revision {
    return this.#committed;
  }

  /** Runs until the signal aborts; throws when this process must not go on (another leader, a corrupt store). */
  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#inbox.wake();
    signal.addEventListener('abort', wake);
    try {
      await this.#elect();
      let more = true;
      while (!signal.aborted) {
        if (!more) await this.#inbox.wait();
        more = await this.#turn(signal);
      }
    } finally {
      signal.removeEventListener('abort', wake);
      const closed = new NotTaken('closed', 'the controller is stopping');
      this.#inbox.refuse(closed);
      for (const reader of this.#readers.splice(0)) reader.fail(closed);
    }
  }

  /** A new leader says so before anything else: its epoch is what agents obey and the store fences by. */
  async #elect(): Promise<void> {
    const inputs: Input[] = [{ kind: 'electLeader', version: this.#options.version }];
    if (this.#state.clusterId === '') inputs.unshift({ kind: 'createCluster', clusterId: crypto.randomUUID() });
    const result = this.#step(inputs);
    await this.#append(result.events);
    this.#tell(result);
  }

  async #turn(signal: AbortSignal): Promise<boolean> {
    const entries = this.#inbox.take(this.#options.batchMax);
    let result: StepResult;
    try {
      result = this.#step(entries.map((entry) => entry.input));
      if (result.events.length > 0) await this.#append(result.events);
    } catch (error) {
      await this.#recoverFrom(error, entries, signal);
      return true;
    }
    this.#tell(result);
    for (const [index, entry] of entries.entries()) entry.settle(result.replies[index] ?? { kind: 'noted' });
    await this.#snapshotIfDue();
    return result.more || this.#inbox.size > 0;
  }

  #step(inputs: readonly Input[]): StepResult {
    this.#steppedAtMs = Math.max(this.#options.clock.nowMs(), this.#state.atMs);
    return step(this.#state, inputs, { nowMs: this.#steppedAtMs, policy: this.#options.policy });
  }

  async #append(events: readonly StampedEvent[]): Promise<void> {
    const after = revision(this.#state.revision - events.length);
    await this.#options.store.append({ after, epoch: epoch(this.#state.epoch), lines: events.map(printLine) });
  }

  #tell(result: StepResult): void {
    if (result.waits !== null) this.#lastPass = { waits: result.waits, atMs: this.#steppedAtMs };
    this.#committed = this.#state.revision;
    if (result.events.length > 0) for (const listener of this.#listeners) listener(this.#state, result.events);
    // After the listeners: whoever reads a state may ask them what changed up to it.
    this.#answerReaders();
  }

  #answerReaders(): void {
    for (const reader of this.#readers.splice(0)) reader.look();
  }

  async #snapshotIfDue(): Promise<void> {
    if (this.#committed - this.#snapshotAt >= this.#options.snapshotEvery) await this.saveSnapshot();
  }

  /** So that the next start need not fold the log again. Not while a batch is under way. */
  async saveSnapshot(): Promise<void> {
    if (this.#state.revision !== this.#committed || this.#committed === this.#snapshotAt) return;
    this.#snapshotAt = this.#committed;
    try {
      await this.#options.store.saveSnapshot({ revision: this.#committed, body: printSnapshot(this.#state) });
    } catch (error) {
      // The log alone is enough; only recovery takes longer.
      this.#options.telemetry.warn({ err: error }, 'snapshot not saved');
    }
  }

  /** Goes back to what the store has, refuses requests until the store takes writes again. */
  async #recoverFrom(error: unknown, entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    const isStore = error instanceof StoreError;
    if (isStore && (error.code === 'conflict' || error.code === 'corrupt')) {
      for (const entry of entries) entry.fail(new NotTaken('unknown', error.message));
      throw error;
    }
    const reason = isStore ? `the store cannot be written: ${error.message}` : 'an internal check failed; the request was dropped';
    this.#options.telemetry.error(
      { err: error, inputs: entries.map((entry) => entry.input.kind) },
      isStore ? 'store cannot be written' : 'step failed',
    );
    const refusal = new NotTaken(isStore ? 'degraded' : 'unknown', reason);
    for (const entry of entries) entry.fail(refusal);
    if (isStore) this.#inbox.refuse(refusal);
    await this.#restore();
    if (isStore) await this.#probeUntilWritable(signal);
    // It failed by itself, not by a request that is gone now: it would fail again at once.
    else if (entries.length === 0) await this.#pause(this.#options.probeMs, signal);
  }

  /** Elects itself anew until that is durable. */
  async #probeUntilWritable(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(this.#options.probeMs, signal);
      try {
        await this.#elect();
        this.#inbox.reopen();
        this.#options.telemetry.info({ revision: this.#committed }, 'store can be written again');
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === 'conflict' || error.code === 'corrupt') throw error;
        await this.#restore();
      }
    }
  }

  /** Back to what the store has. Until then nobody looks: the state holds what was lost. */
  async #restore(): Promise<void> {
    this.#state = await recover(this.#options.store, this.#options.policy.recentEventsMax);
    this.#committed = this.#state.revision;
    this.#answerReaders();
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = new AbortController();
      const stop = (): void => {
        done.abort();
        signal.removeEventListener('abort', stop);
        resolve();
      };
      signal.addEventListener('abort', stop);
      this.#options.clock.every(ms, stop, done.signal);
    });
  }
}
