import type { JobUid } from '#vocabulary/ids.ts';
import type { Waits } from '../schedule/waiting/waits.ts';
import type { Context, Policy } from '../context.ts';
import type { StampedEvent } from '../events.ts';
import type { Input, Reply } from '../inputs.ts';
import { heldMilli } from '../queues/attained.ts';
import type { State } from '../state/state.ts';
import { currentAttempt } from '../state/state.ts';
import type { StateView } from '../state/view.ts';
import { step } from '../step.ts';
import { beginTurn } from '../turn.ts';
import type { Due } from './dueList.ts';
import type { GuessRemaining } from './programs.ts';
import { Programs } from './programs.ts';

/**
 * Plays a state forward in virtual time: whoever runs ends when it is guessed to, and `step` itself decides who starts
 * then, until nobody waits. Who is asked for, what breaks and who comes later is not known, so nothing of that happens.
 *
 * A pass looks at all who wait, so one at each end would be too many. Ends that are near each other, against the time from
 * now, are let happen together, at their mean:
 *
 *   now   e e  e    e e  e   e   e e  e  e   e    e  e  e e       ends
 *         └┴──┘     └─┴──┘   └───┴─┘     └───┴────┴──┘            windows: `fineness` of the time from now, 1 s at least
 *          ↑          ↑        ↑               ↑                  passes
 *
 * So a week takes some 90 passes at a fineness of 1/8, however many jobs there are, and no end is wrong by more than 1/8
 * of how far off it is; on the mean they are not wrong at all.
 */
export class Forecast {
  readonly #state: State;
  readonly #options: ForecastOptions;
  readonly #programs: Programs;
  /**
   * Searches walk the cluster, and matter little when nobody knows who comes: only the first moment has all of them. With
   * 2,000 waiting jobs of as many promised ends a forecast takes a quarter of the time so, and starts are 2 % later on the mean.
   */
  readonly #later: Policy;
  readonly #deadlines: readonly number[];
  readonly #startMs: number;
  readonly #played = new Map<JobUid, Played>();
  #nowMs: number;
  #passes = 0;
  #isCut = false;
  #waits: Waits = new Map();
  /** What jobs hold now, in milli-GPUs. */
  readonly #held = new Map<JobUid, number>();
  #heldMilli = 0;
  #usedMilliMs = 0;
  #lastStart: Forecast['lastStart'] = null;

  /** `state` is the forecast's own from now on: a fork. */
  constructor(state: State, options: ForecastOptions) {
    const { nowMs, policy } = options.context;
    this.#state = state;
    this.#options = options;
    const few = { reservationsMax: Math.min(searchesMax, policy.reservationsMax), targetsMax: 0, moveBudgetMs: 0 };
    this.#later = {
      ...policy,
      ...few,
      recentEventsMax: 1,
      victimSearchesPerPassMax: Math.min(searchesMax, policy.victimSearchesPerPassMax),
    };
    this.#programs = new Programs(options.guess, { restartCostMs: policy.restartCostMs, leaveMs: policy.stopSlackMs });
    this.#startMs = this.#nowMs = Math.max(nowMs, state.atMs);
    const deadlines = [...state.jobs.values()].flatMap(({ phase, spec }) => (phase.kind === 'finished' ? [] : (spec.deadlineMs ?? [])));
    this.#deadlines = deadlines.sort((left, right) => left - right);
    this.#programs.begin(state, this.#nowMs);
    for (const job of state.jobs.values()) {
      const attempt = currentAttempt(job);
      if (attempt !== undefined) this.#hold(job.uid, heldMilli(job, attempt));
    }
  }

  get state(): StateView {
    return this.#state;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** It ended though more would have happened. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Of those that were placed or stopped in the forecast. */
  get played(): ReadonlyMap<JobUid, Played> {
    return this.#played;
  }

  /** Why those wait that wait now. */
  get waits(): Waits {
    return this.#waits;
  }

  /** When somebody was placed last, and what GPU time jobs held up to then, in milli-GPU-milliseconds; null: nobody was. */
  get lastStart(): { readonly atMs: number; readonly usedMilliMs: number } | null {
    return this.#lastStart;
  }

  /** When a job that runs now is through; null: it does not run. */
  endMs(uid: JobUid): number | null {
    return this.#programs.endMs(uid);
  }

  /** Somebody asks for something, at this moment of the forecast. */
  offer(inputs: readonly Input[]): readonly Reply[] {
    return this.#decide(inputs);
  }

  /** Goes on to the next moment at which something happens. False: nothing does any more, nobody waits, or it is too far off. */
  advance(): boolean {
    const { passesMax, horizonMs } = this.#options;
    if (this.#state.pending.length === 0) return false;
    const firstMs = this.#nextMs();
    if (firstMs === null) return false;
    this.#isCut = this.#passes >= passesMax || firstMs > this.#startMs + horizonMs;
    if (this.#isCut) return false;
    const windowMs = Math.max(1_000, Math.floor((firstMs - this.#startMs) * this.#options.fineness));
    const due = this.#programs.due.takeUntil(firstMs + windowMs);
    // Never in smaller steps than half a window, or very short jobs would take a pass each.
    this.#passTime(Math.max(this.#meanMs(due) ?? firstMs, Math.min(firstMs + windowMs, this.#nowMs + Math.floor(windowMs / 2))));
    this.#happen(due);
    this.#decide(this.#isDeadlineBetween(firstMs) ? [{ kind: 'tick' }] : []);
    return true;
  }

  #nextMs(): number | null {
    const wakeMs = this.#state.wakeAtMs ?? Infinity;
    const deadlineMs = this.#deadlines.find((atMs) => atMs > this.#nowMs) ?? Infinity;
    const nextMs = Math.min(this.#programs.due.nextMs ?? Infinity, wakeMs, deadlineMs);
    return nextMs === Infinity ? null : Math.max(nextMs, this.#nowMs);
  }

  /** Who holds more counts for more, as more is waited for it. */
  #meanMs(due: readonly Due[]): number | null {
    let [sum, weights] = [0, 0];
    for (const { atMs, job: uid } of due) {
      const job = this.#state.jobs.get(uid);
      const weight = 1 + (job === undefined ? 0 : job.spec.workers * job.spec.gpusPerWorker);
      sum += weight * (atMs - this.#startMs);
      weights += weight;
    }
    return weights === 0 ? null : this.#startMs + Math.floor(sum / weights);
  }

  #isDeadlineBetween(firstMs: number): boolean {
    return this.#deadlines.some((atMs) => atMs >= firstMs && atMs <= this.#nowMs);
  }

  #passTime(toMs: number): void {
    this.#usedMilliMs += this.#heldMilli * (toMs - this.#nowMs);
    this.#nowMs = toMs;
  }

  #context(): Context {
    return { nowMs: this.#nowMs, policy: this.#nowMs === this.#startMs ? this.#options.context.policy : this.#later };
  }

  #happen(due: readonly Due[]): void {
    const { turn, events } = beginTurn(this.#state, this.#context());
    for (const one of due) {
      const endMs = this.#programs.endMs(one.job);
      this.#programs.happen(turn, one);
      if (one.what === 'end' && this.#programs.endMs(one.job) === null) this.#note(one.job, { endMs });
    }
    this.#follow(events);
  }

  #decide(inputs: readonly Input[]): readonly Reply[] {
    let replies: readonly Reply[] = [];
    // As the loop does it: a pass that left something open is followed by another one.
    for (let round = 0; round < roundsMax; round += 1) {
      const result = step(this.#state, round === 0 ? inputs : [], this.#context());
      if (round === 0) replies = result.replies;
      if (result.waits !== null) {
        this.#passes += 1;
        this.#waits = result.waits;
      }
      this.#follow(result.events);
      if (!result.more && !this.#state.scheduleDirty) break;
    }
    this.#programs.expectSaves(this.#state, this.#nowMs);
    return replies;
  }

  #follow(events: readonly StampedEvent[]): void {
    const { turn } = beginTurn(this.#state, this.#context());
    for (const event of events) {
      this.#programs.follow(turn, event);
      if (event.kind === 'AttemptPlaced') this.#noteStart(event.uid);
      if (event.kind === 'AttemptEnded') this.#noteEnd(event);
    }
  }

  #noteStart(uid: JobUid): void {
    const job = this.#state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined) return;
    this.#hold(uid, heldMilli(job, attempt));
    this.#lastStart = { atMs: this.#nowMs, usedMilliMs: this.#usedMilliMs };
    if (!this.#played.has(uid)) this.#note(uid, { startMs: this.#nowMs });
  }

  #noteEnd({ uid, next }: Extract<StampedEvent, { kind: 'AttemptEnded' }>): void {
    this.#hold(uid, 0);
    if (next.kind !== 'finished') this.#note(uid, { stops: (this.#played.get(uid)?.stops ?? 0) + 1 });
  }

  #hold(uid: JobUid, milli: number): void {
    this.#heldMilli += milli - (this.#held.get(uid) ?? 0);
    this.#held.set(uid, milli);
  }

  #note(uid: JobUid, change: Partial<Played>): void {
    this.#played.set(uid, { ...(this.#played.get(uid) ?? { startMs: null, endMs: null, stops: 0 }), ...change });
  }
}

export interface ForecastOptions {
  readonly context: Context;
  readonly guess: GuessRemaining;
  /** Width of a window against its distance from now, above 0. */
  readonly fineness: number;
  /** How far it goes. */
  readonly horizonMs: number;
  /** It ends after so many passes, wherever it is. */
  readonly passesMax: number;
}

/** What became of a job in a forecast. */
export interface Played {
  /** When it was placed first; null: it ran already, or was not. */
  readonly startMs: number | null;
  /** When it was through; null: not within the forecast. */
  readonly endMs: number | null;
  /** How often it was stopped and had to wait again. */
  readonly stops: number;
}

/** Of a kind, in a pass of the forecast. */
const searchesMax = 4;
/** Passes at one moment. */
const roundsMax = 8;
