/**
 * The one owner of the node's state. Whatever happens changes the state through `change` and wakes the loop; a pass of
 * the loop asks the core what to do, applies it, writes the difference to the journal, and only then does it and lets
 * it be reported. Passes never overlap; while one waits for the disk, changes gather for the next.
 */
import type { Logger } from 'pino';
import { applyAction, withWorker } from '../core/applyAction.ts';
import { converge, nextWakeMs, type Action } from '../core/converge.ts';
import { entriesBetween, entriesOf, restoreState, type JournalEntry } from '../core/journalEntry.ts';
import { emptyNodeState, type NodeState } from '../core/nodeState.ts';
import { onOtherBoot } from '../core/onRuntime.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Journal } from '../ports/journal.ts';
import { describeError, type Background } from './background.ts';

export interface LoopParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly bootId: string;
  readonly background: Background;
  readonly log: Logger;
  /** Does it, in the background; what comes of it returns through `change`. */
  readonly perform: (action: Action) => void;
}

export class NodeLoop {
  readonly #parts: LoopParts;
  #state: NodeState = emptyNodeState;
  /** As the journal has it: what may be reported. */
  #durable: NodeState = emptyNodeState;
  #version = 0;
  #dirty = false;
  #phase: 'restoring' | 'open' | 'stopped' = 'restoring';
  #run: Promise<void> | null = null;
  #rewrittenBytes = 0;
  #cancelWake: () => void = () => undefined;
  readonly #onChange = new Set<() => void>();
  readonly #onDurable = new Set<() => void>();

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  /** Takes over what the journal tells. Nothing is decided before `begin`. */
  async restore(): Promise<NodeState> {
    const { journal, bootId } = this.#parts;
    this.#durable = restoreState(await journal.read());
    this.#rewrittenBytes = journal.sizeBytes();
    this.#state = this.#durable;
    for (const worker of this.#durable.workers.values()) {
      if (worker.bootId !== bootId) this.#state = withWorker(this.#state, worker.id, onOtherBoot);
    }
    return this.#state;
  }

  /** From now on it decides. */
  begin(): void {
    this.#phase = 'open';
    this.wake();
  }

  /** As it is now, promises not yet written included. */
  state(): NodeState {
    return this.#state;
  }

  durable(): { readonly state: NodeState; readonly version: number } {
    return { state: this.#durable, version: this.#version };
  }

  change(apply: (state: NodeState) => NodeState): void {
    const next = apply(this.#state);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of [...this.#onChange]) listener();
    this.wake();
  }

  /** Called on every change, at once. Answers how to stop it. */
  onChange(listener: () => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  /** Called when the durable state has changed. Answers how to stop it. */
  onDurable(listener: () => void): () => void {
    this.#onDurable.add(listener);
    return () => this.#onDurable.delete(listener);
  }

  wake(): void {
    this.#dirty = true;
    if (this.#phase !== 'open' || this.#run !== null) return;
    this.#run = this.#runPasses();
    const run = this.#run;
    this.#parts.background.spawn('loop', () => run);
  }

  /** No pass begins after this; resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#cancelWake();
    await this.#run;
  }

  async #runPasses(): Promise<void> {
    try {
      // Changes of the same turn of the event loop are one pass.
      await Promise.resolve();
      while (this.#dirty && !this.#isStopped()) {
        this.#dirty = false;
        await this.#pass();
      }
    } finally {
      this.#run = null;
    }
    if (!this.#isStopped()) this.#armWake();
  }

  #isStopped(): boolean {
    return this.#phase === 'stopped';
  }

  async #pass(): Promise<void> {
    const { clock, bootId, perform } = this.#parts;
    const actions = converge(this.#state, clock.nowMs());
    for (const action of actions) {
      this.#state = applyAction(this.#state, action, { bootId, forgottenMax: limits.forgottenMax });
    }
    if (actions.length > 0) {
      this.#dirty = true;
      for (const listener of [...this.#onChange]) listener();
    }
    const next = this.#state;
    const urgent = actions.filter(({ kind }) => kind === 'kill' || kind === 'terminate');
    const doneEarly = await this.#keep(next, () => {
      for (const action of urgent) perform(action);
    });
    if (this.#durable !== next) return;
    for (const action of actions) if (!doneEarly || !urgent.includes(action)) perform(action);
  }

  /** Writes until it is written. On a disk that takes nothing, ends go on all the same (`whenStuck`, once; then true). */
  async #keep(next: NodeState, whenStuck: () => void): Promise<boolean> {
    if (next === this.#durable) return false;
    const entries = entriesBetween(this.#durable, next);
    let stuck = false;
    while (!(await this.#tryWrite(entries, next))) {
      if (!stuck) whenStuck();
      stuck = true;
      await new Promise<void>((resolve) => this.#parts.clock.wakeAt(this.#parts.clock.nowMs() + limits.journalRetryMs, resolve));
      if (this.#isStopped()) return stuck;
    }
    this.#durable = next;
    this.#version += 1;
    for (const listener of [...this.#onDurable]) listener();
    return stuck;
  }

  async #tryWrite(entries: readonly JournalEntry[], next: NodeState): Promise<boolean> {
    try {
      await this.#write(entries, next);
      return true;
    } catch (error) {
      this.#parts.log.error({ error: describeError(error) }, 'the journal cannot be written; nothing is started until it can');
      return false;
    }
  }

  async #write(entries: readonly JournalEntry[], next: NodeState): Promise<void> {
    const { journal } = this.#parts;
    if (entries.length === 0) return;
    await journal.append(entries);
    if (journal.sizeBytes() < Math.max(limits.journalRewriteBytes, 4 * this.#rewrittenBytes)) return;
    try {
      await journal.rewrite(entriesOf(next));
    } catch (error) {
      this.#parts.log.warn({ error: describeError(error) }, 'the journal could not be shortened');
    }
    this.#rewrittenBytes = journal.sizeBytes();
  }

  #armWake(): void {
    this.#cancelWake();
    const atMs = nextWakeMs(this.#state);
    if (atMs !== null) this.#cancelWake = this.#parts.clock.wakeAt(atMs, () => this.wake());
  }
}
