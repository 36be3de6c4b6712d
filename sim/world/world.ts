/**
 * A cluster in virtual time: the real core (`step`, `desiredFor`) and one real agent state machine a node, joined without
 * a network. Time jumps from one thing that happens to the next; at each, agents and core take turns until neither has
 * anything to say. After each step that moves anything the promises of the core are checked.
 */
import type { StampedEvent } from '#core/events.ts';
import { desiredFor } from '#core/desired.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/state.ts';
import type { StateView } from '#core/state/view.ts';
import { step } from '#core/step.ts';
import { assert } from '#vocabulary/assert.ts';
import type { Launch } from '#vocabulary/assignment.ts';
import type { JobName, JobUid, NodeName } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ProgramPlan, Scenario } from '../scenario/scenario.ts';
import type { Clock } from './clock.ts';
import { EventQueue } from './eventQueue.ts';
import { Recorder } from './recorder.ts';
import { SimAgent } from './simAgent.ts';
import { SimProgram } from './simProgram.ts';

/** A promise of the core did not hold: a bug of Shoal, told with what reproduces it. */
export class BrokenPromise extends Error {}

const tickMs = 1_000;
/** While nothing moves, ticks get rarer, up to this. */
const tickMsMax = 60_000;
/** Turns of core and agents within one millisecond. */
const turnsMax = 10_000;

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

export class World implements Clock {
  readonly recorder = new Recorder();
  readonly agents: ReadonlyMap<NodeName, SimAgent>;
  readonly #scenario: Scenario;
  readonly #state: State = emptyState();
  readonly #queue = new EventQueue();
  readonly #touched = new Set<SimAgent>();
  readonly #greeted = new Set<SimAgent>();
  readonly #pushed = new Map<NodeName, number>();
  readonly #programs = new Map<string, SimProgram>();
  /** By node: programs with a worker there; ended ones are dropped as new ones come. */
  readonly #running = new Map<SimAgent, readonly SimProgram[]>();
  readonly #newest = new Map<JobUid, SimProgram>();
  readonly #plans = new Map<JobUid, ProgramPlan>();
  #inputs: { readonly input: Input; readonly onReply: (reply: Reply) => void }[] = [];
  #afterTurns: (() => void)[] = [];
  #nowMs = 0;
  #tickAtMs = tickMs;
  #tickEveryMs = tickMs;
  #movedAtMs = 0;
  #repairsUntilMs = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const programs = {
      onWorkerUp: (agent: SimAgent, id: WorkerId, launch: Launch) => this.#onWorkerUp(agent, id, launch),
      obeysTerm: (id: WorkerId) => this.#plans.get(id.job)?.onSuspend !== 'ignore',
      onWorkerBroken: (_agent: SimAgent, id: WorkerId) => this.#programs.get(attemptKey(id))?.breakUp(),
    };
    const touch = (agent: SimAgent): void => void this.#touched.add(agent);
    const { timings } = scenario;
    this.agents = new Map(scenario.nodes.map((plan) => [plan.name, new SimAgent(plan, { clock: this, timings, programs, touch })]));
  }

  get view(): StateView {
    return this.#state;
  }

  get context(): { readonly nowMs: number; readonly policy: Scenario['policy'] } {
    return { nowMs: this.#nowMs, policy: this.#scenario.policy };
  }

  nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, run: () => void): void {
    this.#queue.at(atMs, run);
  }

  /** Handed to the core with what else comes at this time. */
  offer(input: Input, onReply: (reply: Reply) => void = () => undefined): void {
    this.#inputs.push({ input, onReply });
  }

  /** When all that came at this time is done. */
  afterTurns(run: () => void): void {
    this.#afterTurns.push(run);
  }

  expectProgram(uid: JobUid, plan: ProgramPlan): void {
    this.#plans.set(uid, plan);
  }

  /** The cluster comes up: queues, then all nodes at once. */
  begin(): void {
    this.offer({ kind: 'createCluster', clusterId: 'simulated' });
    this.offer({ kind: 'electLeader', version: 'simulated' });
    for (const { name, labels, spec } of this.#scenario.queues) {
      this.offer({ kind: 'applyQueue', name, labels, spec }, (reply) => {
        assert(reply.kind !== 'refused', `queue ${name}: ${reply.kind === 'refused' ? reply.message : ''}`);
      });
    }
    for (const agent of this.agents.values()) this.#greet(agent);
    this.#takeTurns();
  }

  /** Up to the next time at which anything happens; false: it lies beyond `untilMs`, and now is then. */
  advance(untilMs: number): boolean {
    const nextMs = Math.min(this.#queue.nextMs ?? Number.POSITIVE_INFINITY, this.#tickAtMs);
    if (nextMs > untilMs) {
      this.#nowMs = untilMs;
      return false;
    }
    this.#nowMs = Math.max(this.#nowMs, nextMs);
    const isTick = this.#nowMs >= this.#tickAtMs;
    if (isTick) {
      this.offer({ kind: 'tick' });
      this.#tickEveryMs = Math.min(tickMsMax, this.#tickEveryMs * 2);
      this.#tickAtMs = this.#nowMs + this.#tickEveryMs;
    }
    this.#takeTurns();
    return true;
  }

  /** Since when nothing but progress was told. */
  get movedAtMs(): number {
    return this.#movedAtMs;
  }

  /** The world changed though the core does not know yet. */
  noteMoved(): void {
    this.#movedAtMs = this.#nowMs;
  }

  /** Until when something is known to mend by itself. */
  get repairsUntilMs(): number {
    return this.#repairsUntilMs;
  }

  expectRepair(atMs: number): void {
    if (Number.isFinite(atMs)) this.#repairsUntilMs = Math.max(this.#repairsUntilMs, atMs);
  }

  #takeTurns(): void {
    for (let turn = 0; ; turn += 1) {
      assert(turn < turnsMax, `core and agents come to rest at ${this.#nowMs} ms`);
      for (let run = this.#queue.takeDue(this.#nowMs); run !== undefined; run = this.#queue.takeDue(this.#nowMs)) run();
      this.#settleAgents();
      if (this.#inputs.length > 0) {
        this.#step();
        continue;
      }
      const after = this.#afterTurns;
      if (after.length === 0) return;
      this.#afterTurns = [];
      for (const run of after) run();
    }
  }

  #settleAgents(): void {
    const changed = new Set<SimAgent>();
    while (this.#touched.size > 0) {
      const round = [...this.#touched];
      this.#touched.clear();
      for (const agent of round) {
        changed.add(agent);
        agent.settle();
        for (const program of this.programsOn(agent)) program.review();
      }
    }
    for (const agent of changed) {
      const report = agent.takeNews();
      if (report !== null) this.offer({ kind: 'report', node: agent.name, report });
    }
  }

  #step(): void {
    const batch = this.#inputs;
    this.#inputs = [];
    let inputs: readonly Input[] = batch.map(({ input }) => input);
    for (let more = true; more; inputs = []) {
      const startedMs = performance.now();
      const result = step(this.#state, inputs, this.context);
      this.recorder.noteStep(this.#state, result, performance.now() - startedMs);
      for (const [index, reply] of result.replies.entries()) batch[index]?.onReply(reply);
      if (result.events.some(({ kind }) => !notes.has(kind))) this.#onMoved();
      for (const event of result.events) if (event.kind === 'AttemptStarted') this.#tickAtDeadline(event.uid);
      if (result.events.some(({ kind }) => !harmless.has(kind))) this.#checkPromises(inputs);
      if (result.events.length > 0) this.#push();
      more = result.more;
    }
  }

  #onMoved(): void {
    this.#movedAtMs = this.#nowMs;
    this.#tickEveryMs = tickMs;
    this.#tickAtMs = Math.min(this.#tickAtMs, (Math.floor(this.#nowMs / tickMs) + 1) * tickMs);
  }

  /** Ticks are rare while nothing moves: a promised end is looked at in time. */
  #tickAtDeadline(uid: JobUid): void {
    const job = this.#state.jobs.get(uid);
    if (job === undefined || job.spec.maxRuntimeMs === null) return;
    const ranMs = job.attempts.reduce(
      (sum, { startedAtMs, endedAtMs }) => sum + (startedAtMs === null ? 0 : (endedAtMs ?? this.#nowMs) - startedAtMs),
      0,
    );
    this.at(this.#nowMs + Math.max(0, job.spec.maxRuntimeMs - ranMs), () => this.offer({ kind: 'tick' }));
  }

  #checkPromises(inputs: readonly Input[]): void {
    const broken = findBrokenPromises(this.#state, this.#scenario.policy);
    if (broken.length === 0) return;
    const kinds = [...new Set(inputs.map(({ kind }) => kind))].join(', ');
    throw new BrokenPromise(
      `broken promise at ${this.#nowMs} ms (scenario ${this.#scenario.name}, seed ${this.#scenario.seed}) after ${kinds}: ${broken.join('; ')}`,
    );
  }

  /** Assignments whose generation moved, to agents that can be heard; and to those that just came. */
  #push(): void {
    for (const { name, generation } of this.#state.nodes.values()) {
      const agent = this.agents.get(name);
      if (agent === undefined || agent.awayUntilMs !== null) continue;
      if (this.#pushed.get(name) === generation && !this.#greeted.has(agent)) continue;
      this.#pushed.set(name, generation);
      const assignment = desiredFor(this.#state, name);
      for (const { id, desire } of assignment.workers) if (desire.kind === 'suspend') this.#programs.get(attemptKey(id))?.sync();
      agent.takeAssignment(assignment);
    }
    this.#greeted.clear();
  }

  #greet(agent: SimAgent): void {
    this.#greeted.add(agent);
    this.#touched.add(agent);
    this.offer({ kind: 'hello', hello: agent.hello() }, (reply) => {
      assert(reply.kind !== 'refused', `node ${agent.name} is refused: ${reply.kind === 'refused' ? reply.message : ''}`);
    });
  }

  agent(name: NodeName): SimAgent {
    const agent = this.agents.get(name);
    assert(agent !== undefined, `node ${name} is in the scenario`);
    return agent;
  }

  programOf(job: JobName): SimProgram | null {
    const uid = this.#state.jobsByName.get(job);
    const record = uid === undefined ? undefined : this.#state.jobs.get(uid);
    return record?.phase.kind === 'active' ? this.program(record.uid, record.attempts.at(-1)?.number ?? 0) : null;
  }

  /** null: it has not started on all nodes, or never will. */
  program(job: JobUid, attempt: number): SimProgram | null {
    return this.#programs.get(attemptKey({ job, attempt })) ?? null;
  }

  programsOn(agent: SimAgent): readonly SimProgram[] {
    return (this.#running.get(agent) ?? []).filter((program) => !program.isOver);
  }

  #onWorkerUp(agent: SimAgent, id: WorkerId, launch: Launch): void {
    const program = this.#programFor(id, launch);
    if (program === null) return;
    const here = this.programsOn(agent);
    if (!here.includes(program)) this.#running.set(agent, [...here, program]);
    program.join(agent, id);
  }

  #programFor(id: WorkerId, launch: Launch): SimProgram | null {
    const key = attemptKey(id);
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    const plan = this.#plans.get(id.job);
    if (plan === undefined) return null;
    const program = new SimProgram(plan, launch, this.#newest.get(id.job) ?? null, this);
    this.#programs.set(key, program);
    this.#newest.set(id.job, program);
    return program;
  }

  /** Not heard of until then. Without power nothing of the node runs on. */
  silence(agent: SimAgent, untilMs: number, withPower: boolean): void {
    const { heartbeatMs, lostMs } = this.#scenario.timings;
    const wasAway = agent.awayUntilMs !== null;
    const awayUntilMs = Math.max(agent.awayUntilMs ?? 0, untilMs);
    agent.awayUntilMs = awayUntilMs;
    if (!withPower && !agent.isDown) agent.powerOff();
    this.expectRepair(awayUntilMs);
    if (Number.isFinite(untilMs)) this.at(untilMs, () => this.#returnOf(agent));
    if (wasAway) return;
    const heardAtMs = Math.max(agent.lastReportMs, Math.floor(this.#nowMs / heartbeatMs) * heartbeatMs);
    this.at(Math.max(this.#nowMs, heardAtMs + lostMs), () => {
      if (agent.awayUntilMs !== null && agent.lastReportMs <= heardAtMs)
        this.offer({ kind: 'nodeSilent', node: agent.name, silentMs: this.#nowMs - heardAtMs });
    });
  }

  #returnOf(agent: SimAgent): void {
    if (agent.awayUntilMs === null || agent.awayUntilMs > this.#nowMs) return;
    agent.awayUntilMs = null;
    if (agent.isDown) agent.powerOn();
    this.#greet(agent);
  }
}

const attemptKey = ({ job, attempt }: Pick<WorkerId, 'job' | 'attempt'>): string => `${job}/${attempt}`;
