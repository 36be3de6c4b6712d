import type { Context, Policy } from '#core/context.ts';
import { apply } from '#core/state/apply.ts';
import { forkState } from '#core/state/fork.ts';
import { restoreSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { step } from '#core/step.ts';
import type { Revision } from '#vocabulary/ids.ts';
import { parseLine, parseSnapshot } from '../loop/logLine.ts';
import type { Moment } from './questions.ts';

/** Where the workbench reads what was committed. Rejects when it cannot be read, also for lines that were dropped since. */
export interface LogSource {
  /** null: there is none. */
  snapshot(): Promise<string | null>;
  /** Lines after this revision; fewer than there are when there are many, none when there are none. */
  lines(after: Revision): Promise<readonly string[]>;
}

/**
 * A state of one's own that follows the log, and forks of it to play on. One fork is always kept ready: it follows too, and has
 * run a pass, so that the scheduler's picture of the cluster is made before somebody waits for it (some 100 ms for 10,000 GPUs).
 */
export class Workbench {
  readonly #source: LogSource;
  readonly #policy: Policy;
  #state: State | null = null;
  #spare: State | null = null;
  #following: Promise<void> = Promise.resolve();

  constructor(source: LogSource, policy: Policy) {
    this.#source = source;
    this.#policy = { ...policy, recentEventsMax: 1 };
  }

  /** A state as of this revision or later, which is the caller's own. */
  async fork({ revision, movesFromMs }: Moment): Promise<State> {
    this.#following = this.#following.catch(() => undefined).then(() => this.#follow(revision));
    await this.#following;
    const fork = this.#spare ?? forkState(this.#state ?? emptyState());
    this.#spare = null;
    fork.movesFromMs = movesFromMs;
    return fork;
  }

  /** Makes the next fork ready, if it is not. */
  prepare(nowMs: number): void {
    if (this.#spare !== null || this.#state === null) return;
    const spare = forkState(this.#state);
    const context: Context = { nowMs: Math.max(nowMs, spare.atMs), policy: this.#policy };
    // The leader has passed over this state already, so there is nothing to decide; should there be, this fork is of no use.
    const { events } = step(spare, [], context);
    if (events.length === 0) this.#spare = spare;
  }

  async #follow(to: Revision): Promise<void> {
    try {
      await this.#readUpTo(this.#state ?? (await this.#begin()), to);
    } catch {
      // It was away for so long that the lines after it are gone; else this fails too.
      await this.#readUpTo(await this.#begin(), to);
    }
  }

  async #begin(): Promise<State> {
    const body = await this.#source.snapshot();
    const state = body === null ? emptyState() : restoreSnapshot(parseSnapshot(body));
    [this.#state, this.#spare] = [state, null];
    return state;
  }

  async #readUpTo(state: State, to: Revision): Promise<void> {
    while (state.revision < to) {
      const lines = await this.#source.lines(state.revision);
      if (lines.length === 0) throw new Error(`the log ends at revision ${state.revision}, before ${to}`);
      for (const line of lines) this.#fold(state, line);
    }
  }

  #fold(state: State, line: string): void {
    const event = parseLine(line);
    apply(state, event, this.#policy.recentEventsMax);
    if (this.#spare !== null) apply(this.#spare, event, this.#policy.recentEventsMax);
  }
}
