/**
 * One attempt's program on all of its workers, as collectives make it: it steps together or not at all. Its position is a
 * function of time, so nothing happens between the times that matter: loaded, a checkpoint, a step to stop at, the end.
 * What it tells goes through the agents' own judgement (agent/core: posts, promises, stop steps).
 */
import { onCheckpoint, onProgress, onReleased } from '#agent/core/onProgram.ts';
import { judgeStep } from '#agent/core/suspend.ts';
import type { RankRecord, WorkerRecord } from '#agent/core/nodeState.ts';
import type { Launch } from '#vocabulary/assignment.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ProgramPlan } from '../scenario/scenario.ts';
import type { Clock } from './clock.ts';
import type { MemoryCopy } from './memoryCopy.ts';
import { survivingStep } from './memoryCopy.ts';
import type { SimAgent } from './simAgent.ts';

export interface Member {
  readonly agent: SimAgent;
  readonly id: WorkerId;
}

type Mode =
  /** Not all workers run yet. */
  | { readonly kind: 'gathering' }
  | { readonly kind: 'loading'; readonly untilMs: number }
  /** `carriedMs` of the step after `fromStep` were done at `sinceMs`, which may lie ahead: it stands still until then. */
  | { readonly kind: 'running'; readonly sinceMs: number; readonly fromStep: number; readonly carriedMs: number; readonly stepMs: number }
  | { readonly kind: 'saving'; readonly step: number; readonly untilMs: number; readonly thenExit: boolean }
  /** Its post of this step is not answered. */
  | { readonly kind: 'held'; readonly step: number }
  /** A part of it is gone, or it hangs: it only takes signals. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'done' };

/** Progress without other news is told so often. Programs tell each step; more often changes nothing that is decided here. */
const postEveryMs = 1_800_000;

export class SimProgram {
  readonly plan: ProgramPlan;
  readonly members: Member[] = [];
  readonly #clock: Clock;
  readonly #launch: Launch;
  #mode: Mode = { kind: 'gathering' };
  #copy: MemoryCopy | null;
  /** Newest step on disk, of this attempt or one before. */
  #diskStep: number;
  #resumedFrom = 0;
  #readyAtMs = 0;
  #lastSavedStep = 0;
  #lastPostMs = 0;
  #stillUntilMs = 0;
  #ignoresStops = false;
  /** The last step that it was let go on from though it was to stop: the controller has not heard yet that it had been there. */
  #passedStep = -1;
  #wakeMs: number | null = null;

  /** `before`: the program of the attempt before; null: there was none. */
  constructor(plan: ProgramPlan, launch: Launch, before: SimProgram | null, clock: Clock) {
    this.plan = plan;
    this.#launch = launch;
    this.#copy = before === null ? null : before.#copy;
    this.#diskStep = before === null ? 0 : before.#diskStep;
    this.#clock = clock;
  }

  /** From which step this attempt went on, once it has loaded; null before. */
  get resumedFrom(): number | null {
    return this.#readyAtMs > 0 ? this.#resumedFrom : null;
  }

  /** Nothing of it will happen by itself but checkpoints, for ever. */
  get isEndless(): boolean {
    return this.#mode.kind === 'broken' || (this.plan.workMs === null && this.plan.exit === null && this.#mode.kind === 'running');
  }

  /** Nothing is to be done for it any more. */
  get isOver(): boolean {
    return this.#mode.kind === 'broken' || this.#mode.kind === 'done';
  }

  join(agent: SimAgent, id: WorkerId): void {
    this.members.push({ agent, id });
    if (this.#mode.kind !== 'gathering' || this.members.length < this.#launch.workers) return;
    this.members.sort((left, right) => left.id.worker - right.id.worker);
    this.#mode = { kind: 'loading', untilMs: this.#clock.nowMs() + this.plan.loadTakesMs };
    this.review();
  }

  /** Nothing of the gang goes on without this part. */
  breakUp(): void {
    if (this.#mode.kind === 'broken' || this.#mode.kind === 'done') return;
    this.#keepCopy();
    this.#mode = { kind: 'broken' };
  }

  /** The newest step whose state is in memory, as of now. */
  #keepCopy(): void {
    const everyMs = this.plan.memoryCheckpointEveryMs;
    if (everyMs === null || this.#mode.kind === 'gathering' || this.#mode.kind === 'loading') return;
    const every = Math.max(1, Math.round(everyMs / this.plan.stepMs));
    const step = Math.floor(this.#stepNow() / every) * every;
    if (step <= this.#resumedFrom) return;
    const copy: MemoryCopy = { step, atMs: this.#clock.nowMs(), holders: this.members.map(({ agent }) => agent) };
    this.#copy = copy;
    // Others may be struck at this very time: what is left is told when all of it has happened.
    this.#clock.at(this.#clock.nowMs(), () => this.#tellCopy(copy));
  }

  /** Agents that live know which copies they hold together: the whole is a checkpoint like any other, until it is lost. */
  #tellCopy(copy: MemoryCopy): void {
    if (survivingStep(copy) !== copy.step) return;
    const [first] = this.#livingRanks();
    if (first === undefined) return;
    const { agent, worker, rank } = first;
    const path = `memory/attempt-${worker.id.attempt}/step-${copy.step}`;
    agent.change((state) => onCheckpoint(state, worker.id, rank.rank, { step: copy.step, path, scope: 'job', tookMs: null }));
  }

  /** Stands still until then; a program that does not step now is not held up. */
  pause(untilMs: number): void {
    this.#stillUntilMs = Math.max(this.#stillUntilMs, untilMs);
    if (this.#mode.kind === 'running') this.rebase();
  }

  /** Goes on from where it is at the speed that its slowest node allows now. */
  rebase(): void {
    const mode = this.#mode;
    if (mode.kind !== 'running') return;
    const nowMs = this.#clock.nowMs();
    const doneMs = mode.carriedMs + Math.max(0, nowMs - mode.sinceMs);
    const steps = Math.floor(doneMs / mode.stepMs);
    const stepMs = this.#stepMs();
    const carriedMs = Math.floor(((doneMs - steps * mode.stepMs) / mode.stepMs) * stepMs);
    this.#mode = { kind: 'running', sinceMs: Math.max(nowMs, this.#stillUntilMs), fromStep: mode.fromStep + steps, carriedMs, stepMs };
    this.#arm();
  }

  /** Tells where it is: before its agents hear that it shall leave. */
  sync(): void {
    if (this.#mode.kind === 'running' && !this.#ignoresStops) this.#post(this.#stepNow());
  }

  /** Does what is due now. Asked at the times that it wants, and when something of its agents changed. */
  review(): void {
    for (let round = 0; round < 100 && this.#advance(); round += 1);
    this.#arm();
  }

  /** True: look again. */
  #advance(): boolean {
    const nowMs = this.#clock.nowMs();
    const mode = this.#mode;
    switch (mode.kind) {
      case 'gathering':
      case 'broken':
      case 'done':
        return false;
      case 'loading':
        if (nowMs < mode.untilMs) return false;
        this.#begin();
        return true;
      case 'saving':
        if (nowMs < mode.untilMs) return false;
        this.#save(mode.step);
        if (mode.thenExit) this.#exitAll();
        else this.#run(mode.step);
        return !mode.thenExit;
      case 'held':
        return this.#judge(mode.step);
      case 'running':
        return this.#advanceRunning(nowMs);
    }
  }

  #begin(): void {
    // Told to resume from a copy that is gone by now, it falls back to what is on disk.
    const told = this.#launch.checkpoint?.resume?.step ?? 0;
    this.#resumedFrom = Math.max(Math.min(told, this.#diskStep), survivingStep(this.#copy));
    this.#lastSavedStep = this.#resumedFrom;
    this.#readyAtMs = Math.max(1, this.#clock.nowMs());
    this.#run(this.#resumedFrom);
    this.#post(this.#resumedFrom);
  }

  #run(fromStep: number): void {
    const sinceMs = Math.max(this.#clock.nowMs(), this.#stillUntilMs);
    this.#mode = { kind: 'running', sinceMs, fromStep, carriedMs: 0, stepMs: this.#stepMs() };
  }

  #advanceRunning(nowMs: number): boolean {
    const exitMs = this.#exitMs();
    if (exitMs !== null && nowMs >= exitMs) {
      const [first] = this.members;
      first?.agent.endRanks(first.id, { kind: 'ended', exitCode: this.plan.exit?.code ?? 1, signal: null }, this.#launch.firstRank);
      this.breakUp();
      return false;
    }
    const step = this.#stepNow();
    const total = this.#totalSteps();
    if (total !== null && step >= total) {
      this.#post(total);
      this.#exitAll();
      return false;
    }
    const stopStep = this.#stopStep();
    if (stopStep !== null && step >= Math.max(stopStep, this.#passedStep + 1)) return this.#judge(step);
    const due = this.#nextSave();
    if (due !== null && step >= due) {
      this.#mode = { kind: 'saving', step, untilMs: nowMs + this.plan.checkpointTakesMs, thenExit: false };
      return true;
    }
    if (nowMs >= this.#lastPostMs + postEveryMs) this.#post(step);
    return false;
  }

  /** Posts the step that it may have to stop at, and does what it is told. */
  #judge(step: number): boolean {
    const verdict = this.#post(step);
    if (verdict === 'hold') {
      this.#mode = { kind: 'held', step };
      return false;
    }
    const leaves = verdict === 'stop' && this.plan.onSuspend !== 'ignore';
    if (!leaves) {
      if (verdict === 'stop') this.#ignoresStops = true;
      this.#passedStep = step;
      const wasHeld = this.#mode.kind === 'held';
      if (wasHeld) this.#run(step);
      return wasHeld;
    }
    if (this.plan.onSuspend === 'exit') this.#exitAll();
    else this.#mode = { kind: 'saving', step, untilMs: this.#clock.nowMs() + this.plan.checkpointTakesMs, thenExit: true };
    return true;
  }

  /** One verdict for the gang: whoever is held holds all. */
  #post(step: number): 'go' | 'hold' | 'stop' {
    this.#lastPostMs = this.#clock.nowMs();
    const progress = { step, loss: null, tokens: null, stepSeconds: this.#stepMs() / 1000 };
    let verdict: 'go' | 'hold' | 'stop' = 'go';
    for (const { agent, worker, rank } of this.#livingRanks()) {
      // A post says nothing of the suspension under way, so the answer does not depend on it.
      const said = judgeStep(worker, rank, step).kind;
      if (said !== 'go' && verdict !== 'hold') verdict = said;
      // It has its answer already, or still waits for it.
      if (said === 'go' ? rank.released.kind === 'step' && rank.released.step === step : rank.pendingStep === step) continue;
      agent.change((state) => {
        const posted = onProgress(state, worker.id, rank.rank, progress);
        return said === 'go' ? onReleased(posted, worker.id, rank.rank, step) : posted;
      });
    }
    return verdict;
  }

  #save(step: number): void {
    this.#lastSavedStep = step;
    this.#diskStep = step;
    this.#post(step);
    const folder = this.#launch.checkpoint?.directory ?? 'checkpoints';
    const tookMs = this.plan.checkpointTakesMs;
    for (const { agent, worker, rank } of this.#livingRanks()) {
      const path = `${folder}/attempt-${worker.id.attempt}/step-${step}`;
      agent.change((state) => onCheckpoint(state, worker.id, rank.rank, { step, path, scope: 'rank', tookMs }));
    }
  }

  #exitAll(): void {
    this.#keepCopy();
    this.#mode = { kind: 'done' };
    for (const { agent, id } of this.members) agent.endRanks(id, { kind: 'ended', exitCode: 0, signal: null });
  }

  *#livingRanks(): Generator<{ readonly agent: SimAgent; readonly worker: WorkerRecord; readonly rank: RankRecord }> {
    for (const { agent, id } of this.members) {
      const worker = agent.worker(id);
      if (worker === undefined || agent.isDown) continue;
      for (const rank of worker.ranks) if (rank.life.kind === 'running') yield { agent, worker, rank };
    }
  }

  #stepNow(): number {
    const mode = this.#mode;
    if (mode.kind === 'saving' || mode.kind === 'held') return mode.step;
    if (mode.kind !== 'running') return this.#lastSavedStep;
    return mode.fromStep + Math.floor((mode.carriedMs + Math.max(0, this.#clock.nowMs() - mode.sinceMs)) / mode.stepMs);
  }

  #stepMs(): number {
    const slowest = Math.max(1, ...this.members.map(({ agent }) => agent.slowFactor));
    return Math.max(1, Math.round((this.plan.stepMs * this.plan.workers * slowest) / this.#launch.workers));
  }

  #totalSteps(): number | null {
    return this.plan.workMs === null ? null : Math.max(1, Math.ceil(this.plan.workMs / this.plan.stepMs));
  }

  /** Checkpoints fall on multiples of their period, in steps. */
  #nextSave(): number | null {
    const everyMs = this.plan.checkpointEveryMs;
    if (everyMs === null) return null;
    const every = Math.max(1, Math.round(everyMs / this.plan.stepMs));
    return (Math.floor(this.#lastSavedStep / every) + 1) * every;
  }

  #exitMs(): number | null {
    return this.plan.exit === null ? null : this.#readyAtMs + this.plan.exit.afterMs;
  }

  /** The first step that an agent has asked to stop at; null: go on. */
  #stopStep(): number | null {
    if (this.#ignoresStops) return null;
    let first: number | null = null;
    for (const { agent, id } of this.members) {
      const stage = agent.worker(id)?.suspend?.stage;
      if (stage === undefined || stage.kind === 'ask') continue;
      first = Math.min(first ?? stage.stopStep, stage.stopStep);
    }
    return first;
  }

  /** Wakes up at the next time that matters. */
  #arm(): void {
    const atMs = this.#nextMs();
    if (atMs === null || atMs === this.#wakeMs) return;
    this.#wakeMs = atMs;
    this.#clock.at(atMs, () => {
      // A later look asked for another time.
      if (this.#wakeMs !== atMs) return;
      this.#wakeMs = null;
      this.review();
    });
  }

  #nextMs(): number | null {
    const mode = this.#mode;
    if (mode.kind === 'loading' || mode.kind === 'saving') return mode.untilMs;
    if (mode.kind !== 'running') return null;
    const stopStep = this.#stopStep();
    const judged = stopStep === null ? null : Math.max(stopStep, this.#passedStep + 1);
    const steps = [this.#totalSteps(), this.#nextSave(), judged].filter((step) => step !== null);
    const times = steps.map((step) => mode.sinceMs + (step - mode.fromStep) * mode.stepMs - mode.carriedMs);
    const exitMs = this.#exitMs();
    return Math.max(this.#clock.nowMs() + 1, Math.min(...times, exitMs ?? Number.POSITIVE_INFINITY, this.#lastPostMs + postEveryMs));
  }
}
