/**
 * A cluster in virtual time: the real core (`step`, `desiredFor`) and one real agent state machine a node, joined without
 * a network. Time jumps from one thing that happens to the next; at each, agents and core take turns until neither has
 * anything to say. After steps that move anything the promises of the core are checked.
 */
import type { StampedEvent } from '#core/events.ts';
import { desiredFor } from '#core/desired.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { heldMs } from '#core/jobs/endings.ts';
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
import { movesAnything, PromiseWatch } from './promiseWatch.ts';
import { Recorder } from './recorder.ts';
import { SimAgent } from './simAgent.ts';
import { SimProgram } from './simProgram.ts';

/** Time goes on at least in such leaps. Deadlines and what waits for a time are looked at exactly then (`#setAlarms`, `#setWake`). */
const leapMs = 60_000;
/** So often it is looked at whether there are finished jobs to remove. */
const removalEveryMs = 3_600_000;
/** Turns of core and agents within one millisecond. */
const turnsMax = 10_000;

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
  readonly #promises: PromiseWatch;
  #inputs: { readonly input: Input; readonly onReply: (reply: Reply) => void }[] = [];
  #afterTurns: (() => void)[] = [];
  #nowMs = 0;
  #removalAtMs = removalEveryMs;
  /** When the state's own alarm is set in the queue. */
  #wakeAtMs: number | null = null;
  #movedAtMs = 0;
  #repairsUntilMs = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#promises = new PromiseWatch(this.#state, scenario);
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
    const nextMs = Math.min(this.#queue.nextMs ?? Number.POSITIVE_INFINITY, this.#nowMs + leapMs);
    if (nextMs > untilMs) {
      this.#nowMs = untilMs;
      this.#promises.checkNow(this.#nowMs);
      return false;
    }
    this.#nowMs = Math.max(this.#nowMs, nextMs);
    if (this.#nowMs >= this.#removalAtMs) {
      this.#removalAtMs = this.#nowMs + removalEveryMs;
      if (this.#state.jobs.size > this.#scenario.policy.finishedJobsMax) this.offer({ kind: 'tick' });
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
      const programs = new Set<SimProgram>();
      for (const agent of round) {
        changed.add(agent);
        agent.settle();
        for (const program of this.programsOn(agent)) programs.add(program);
      }
      // Once each, however many nodes it has.
      for (const program of programs) program.review();
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
      this.recorder.noteStep(this.#state, result, { nowMs: this.#nowMs, wallMs: performance.now() - startedMs });
      for (const [index, reply] of result.replies.entries()) batch[index]?.onReply(reply);
      if (result.events.some(movesAnything)) this.#movedAtMs = this.#nowMs;
      for (const event of result.events) this.#setAlarms(event);
      this.#promises.note(result.events, inputs, this.#nowMs);
      if (result.events.length > 0) this.#push(result.events);
      more = result.more;
    }
    this.#setWake();
  }

  /** Ticks are rare: what has to be looked at at a time is looked at then. */
  #setAlarms(event: StampedEvent): void {
    if (event.kind !== 'AttemptPlaced' && event.kind !== 'JobCreated' && event.kind !== 'JobChanged') return;
    const job = this.#state.jobs.get(event.uid);
    if (job === undefined) return;
    const { maxRuntimeMs, deadlineMs } = job.spec;
    if (deadlineMs !== null) this.#tickAt(deadlineMs, job.uid);
    if (maxRuntimeMs !== null && job.phase.kind === 'active') this.#tickAt(this.#nowMs + maxRuntimeMs - heldMs(job, this.#nowMs), job.uid);
  }

  #tickAt(atMs: number, uid: JobUid): void {
    this.at(Math.max(atMs, this.#nowMs), () => {
      const phase = this.#state.jobs.get(uid)?.phase.kind;
      if (phase !== undefined && phase !== 'finished') this.offer({ kind: 'tick' });
    });
  }

  /** A pass that is due at a time though nothing else happens. */
  #setWake(): void {
    const { wakeAtMs } = this.#state;
    if (wakeAtMs === null || wakeAtMs === this.#wakeAtMs) return;
    this.#wakeAtMs = wakeAtMs;
    this.at(Math.max(wakeAtMs, this.#nowMs + 1), () => {
      if (this.#wakeAtMs === wakeAtMs) this.#wakeAtMs = null;
      if (this.#state.wakeAtMs !== null && this.#state.wakeAtMs <= this.#nowMs) this.offer({ kind: 'tick' });
    });
  }

  /** Assignments whose generation moved, to agents that can be heard; and to those that just came. */
  #push(events: readonly StampedEvent[]): void {
    for (const name of this.#nodesOf(events)) {
      const [node, agent] = [this.#state.nodes.get(name), this.agents.get(name)];
      if (node === undefined || agent === undefined || agent.awayUntilMs !== null) continue;
      if (this.#pushed.get(name) === node.generation && !this.#greeted.has(agent)) continue;
      this.#pushed.set(name, node.generation);
      const assignment = desiredFor(this.#state, name);
      for (const { id, desire } of assignment.workers) if (desire.kind === 'suspend') this.#programs.get(attemptKey(id))?.sync();
      agent.takeAssignment(assignment);
    }
    this.#greeted.clear();
  }

  /** Nodes whose generation these may have moved, and those that just came. */
  #nodesOf(events: readonly StampedEvent[]): ReadonlySet<NodeName> {
    const names = new Set<NodeName>();
    for (const { name } of this.#greeted) names.add(name);
    let last: StampedEvent | null = null;
    for (const event of events) {
      if ('node' in event && event.kind !== 'TokenUsed') names.add(event.node);
      if (!('attempt' in event)) continue;
      // Of a gang's checkpoint every rank tells: once is enough.
      if (last !== null && 'attempt' in last && last.uid === event.uid && last.attempt === event.attempt) continue;
      last = event;
      for (const { node } of this.#state.jobs.get(event.uid)?.attempts[event.attempt - 1]?.placement ?? []) names.add(node);
    }
    return names;
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
