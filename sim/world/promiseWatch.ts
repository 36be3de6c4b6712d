/**
 * Checks the promises of the core as it goes. A check walks the whole state, so on a large cluster it is not made after
 * every step but when enough has happened to be worth it: each event that can break a promise then pays for a bounded part
 * of a check. Small clusters, which tests play, are checked after every step that moves anything.
 */
import type { StampedEvent } from '#core/events.ts';
import type { Input } from '#core/inputs.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import type { StateView } from '#core/state/view.ts';
import { brokenPromise, promiseOf } from '../promises/brokenPromise.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** Events that say how far work is, and move no GPU. */
const notes: ReadonlySet<StampedEvent['kind']> = new Set([
  'ProgressRecorded',
  'CheckpointPartRecorded',
  'CheckpointCompleted',
  'SuspendAnswered',
]);

/** Events that move no GPU, no job between waiting and running, and no amount of the ledger but in time: promises hold after them as before. */
const harmless: ReadonlySet<StampedEvent['kind']> = new Set([
  ...notes,
  'WorkerChanged',
  'AttemptStarted',
  'SuspendStaged',
  'AttemptStopping',
  'StopCauseAdded',
]);

export const movesAnything = ({ kind }: StampedEvent): boolean => !notes.has(kind);

/** Jobs and nodes that one event pays for: less than 0.1 ms of a check, on a core of 2026. */
const recordsAnEvent = 50;
/** A state of so many is checked after every step. */
const recordsFree = 500;

export class PromiseWatch {
  readonly #view: () => StateView;
  readonly #scenario: Scenario;
  #unchecked = 0;
  #checkedAtMs = 0;

  constructor(view: () => StateView, scenario: Scenario) {
    this.#view = view;
    this.#scenario = scenario;
  }

  /** To be called after each step. Throws BrokenPromise. */
  note(events: readonly StampedEvent[], inputs: readonly Input[], nowMs: number): void {
    for (const { kind } of events) if (!harmless.has(kind)) this.#unchecked += 1;
    const { jobs, nodes } = this.#view();
    if (this.#unchecked === 0 || this.#unchecked * recordsAnEvent < jobs.size + nodes.size - recordsFree) return;
    this.#check(nowMs, [...new Set(inputs.map(({ kind }) => kind))].join(', '));
  }

  /** At the end. Throws BrokenPromise. */
  checkNow(nowMs: number): void {
    if (this.#unchecked > 0) this.#check(nowMs, 'the last step');
  }

  #check(nowMs: number, after: string): void {
    const broken = findBrokenPromises(this.#view(), this.#scenario.policy);
    const since = this.#unchecked > recordsAnEvent ? `, not yet at ${this.#checkedAtMs} ms` : '';
    this.#unchecked = 0;
    this.#checkedAtMs = nowMs;
    const [first] = broken;
    if (first === undefined) return;
    const { name, seed } = this.#scenario;
    throw brokenPromise(promiseOf(first), broken.join('; '), { scenario: name, seed, nowMs, after: `${after}${since}` });
  }
}
