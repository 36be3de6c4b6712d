/**
 * Every promise that can be seen in a simulated cluster, beside those that a check of the state finds: where a
 * gang may start, that planning again changes nothing, that a controller which comes back knows all that was said, that
 * nothing starts twice, that nobody flaps, and that everything which can finish finishes. It changes nothing that is played.
 */
import type { StampedEvent } from '#core/events.ts';
import type { Input } from '#core/inputs.ts';
import { freeCategories, ledgerCategories, type LedgerCategory } from '#core/ledger/amounts.ts';
import { readJobLedger, readLedger } from '#core/ledger/readLedger.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import type { JobView, StateView } from '#core/state/view.ts';
import type { StepResult } from '#core/step.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { throughSnapshot } from '../world/recovery.ts';
import type { SimAgent } from '../world/simAgent.ts';
import type { Core } from '../world/core.ts';
import { brokenPromise, promiseOf, type BrokenPromise } from './brokenPromise.ts';
import { Flapping } from './flapping.ts';
import { judgePlacement } from './placements.ts';
import { Starts } from './starts.ts';

interface Moment {
  readonly inputs: readonly Input[];
  readonly nowMs: number;
}

export class StrictWatch {
  readonly #scenario: Scenario;
  readonly #core: Core;
  readonly #flapping = new Flapping();
  readonly #starts = new Starts();
  /** Uids that somebody was told of. */
  readonly #acknowledged = new Set<string>();
  readonly #known = new Set<string>();
  /** The furthest complete checkpoint of each job. */
  readonly #saved = new Map<JobUid, number>();
  #lastAtMs = 0;

  constructor(scenario: Scenario, core: Core) {
    this.#scenario = scenario;
    this.#core = core;
  }

  /** After each step, before anybody is told of it. Throws BrokenPromise. */
  noteStep(state: State, result: StepResult, moment: Moment): void {
    const after = [...new Set(moment.inputs.map(({ kind }) => kind))].join(', ') || 'a pass';
    const fail = (what: string, promise?: string): never => this.#fail(what, moment.nowMs, after, promise);
    for (const event of result.events) this.#noteEvent(state, event, moment.nowMs, fail);
    this.#checkFixedPoint(state, result, moment.nowMs, fail);
  }

  #noteEvent(state: State, event: StampedEvent, nowMs: number, fail: (what: string) => never): void {
    if (event.atMs < this.#lastAtMs) fail(`time goes back in the log: ${event.kind}`);
    this.#lastAtMs = event.atMs;
    const pair = this.#flapping.note(event);
    if (pair !== null) fail(`jobs throw each other out in turns: ${pair.join(' and ')}`);
    if (event.kind === 'JobCreated') this.#known.add(event.uid);
    if (event.kind === 'CheckpointCompleted') this.#saved.set(event.uid, Math.max(event.step, this.#saved.get(event.uid) ?? 0));
    if (
      event.kind === 'AttemptEnded' &&
      event.charged &&
      !(event.reasons[0] === 'ApplicationFailure' || event.reasons[0] === 'LaunchFailure')
    )
      fail(`the user is charged for ${event.reasons[0] ?? ''}`);
    if (event.kind !== 'AttemptPlaced') return;
    const job = state.jobs.get(event.uid);
    // Placed and gone within one step: another promise says whether it may.
    if (job?.attempts.at(-1)?.number !== event.attempt || job.phase.kind !== 'active') return;
    if ((event.resume?.step ?? 0) < (this.#saved.get(event.uid) ?? 0)) fail(`job ${job.name} resumes behind its last checkpoint`);
    for (const wrong of judgePlacement(state, job, this.#scenario.policy, nowMs)) fail(wrong);
  }

  /** Planning again, with nothing new, decides nothing. What the second look leaves behind is put back. */
  #checkFixedPoint(state: State, { waits, more }: StepResult, nowMs: number, fail: (what: string, promise: string) => never): void {
    if (waits === null || more) return;
    const { scheduleDirty, wakeAtMs, movesFromMs, awaitsSave, defragDueMs } = state;
    state.scheduleDirty = true;
    const again = this.#core.step(state, [], { nowMs, policy: this.#scenario.policy });
    if (again.events.length > 0)
      fail(
        `planning again with nothing new decides something: ${again.events.map(({ kind }) => kind).join(', ')}`,
        'planning again changes nothing',
      );
    Object.assign(state, { scheduleDirty, wakeAtMs, movesFromMs, awaitsSave, defragDueMs });
  }

  noteAcknowledged(uid: string): void {
    this.#acknowledged.add(uid);
  }

  noteStart(agent: SimAgent, id: WorkerId, { ranks, nowMs }: { readonly ranks: readonly number[]; readonly nowMs: number }): void {
    for (const wrong of this.#starts.note(agent, id, ranks)) this.#fail(wrong, nowMs, 'an assignment');
  }

  /** The controller came back from what is durable, and must know what the dead one had committed. */
  noteRecovered(dead: StateView, recovered: StateView, nowMs: number): void {
    if (printSnapshot(dead) !== printSnapshot(recovered))
      this.#fail('the log folds to another state', nowMs, 'a restart of the controller');
    for (const broken of findBrokenPromises(recovered, this.#scenario.policy)) this.#fail(broken, nowMs, 'a restart of the controller');
  }

  /** At the end. `fold` makes the state of the log again. */
  checkEnd(state: StateView, jobs: readonly JobView[], nowMs: number, fold: () => StateView): void {
    const fail = (what: string): never => this.#fail(what, nowMs, 'the end');
    for (const uid of this.#acknowledged)
      if (!this.#known.has(uid) && ![...this.#known].some((known) => known.startsWith(`${uid}-`)))
        fail(`job ${uid} was acknowledged and is lost`);
    const want = printSnapshot(state);
    if (printSnapshot(fold()) !== want) fail('the log folds to another state');
    const restored = throughSnapshot(state);
    if (printSnapshot(restored) !== want) fail('a snapshot gives another state');
    for (const broken of findBrokenPromises(restored, this.#scenario.policy)) fail(broken);
    this.#checkLedger(state, jobs, nowMs, fail);
  }

  /** No node leaves, so the capacity is known without the ledger. */
  #checkLedger(state: StateView, jobs: readonly JobView[], nowMs: number, fail: (what: string) => never): void {
    const { amounts, capacity } = readLedger(state, nowMs);
    const sum = ledgerCategories.reduce((total, category) => total + amounts[category], 0n);
    if (sum !== capacity) fail(`the categories of the ledger sum to ${sum}, and the capacity is ${capacity}`);
    let want = 0n;
    for (const { inventory, createdAtMs } of state.nodes.values())
      want += BigInt(inventory.gpus.length * 1000) * BigInt(nowMs - createdAtMs);
    if (capacity !== want) fail(`the ledger says that the capacity is ${capacity}, and it is ${want}`);
    const own = { ...amounts };
    for (const job of jobs) {
      const used = readJobLedger(state, job, nowMs);
      for (const category of ledgerCategories) {
        if (used[category] < 0n) fail(`job ${job.name} has less than nothing in the ledger`);
        own[category] -= used[category];
      }
    }
    const left = ledgerCategories.filter((category) => !free.has(category) && own[category] !== 0n);
    if (left.length > 0) fail(`the jobs' own ledgers do not add up to the whole: ${left.join(', ')}`);
  }

  #fail(what: string, nowMs: number, after: string, promise = promiseOf(what)): never {
    throw this.broken(what, nowMs, after, promise);
  }

  broken(what: string, nowMs: number, after: string, promise = promiseOf(what)): BrokenPromise {
    return brokenPromise(promise, what, { scenario: this.#scenario.name, seed: this.#scenario.seed, nowMs, after });
  }
}

/** Nobody's. */
const free: ReadonlySet<LedgerCategory> = new Set(freeCategories);
