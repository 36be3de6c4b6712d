/**
 * A cluster in virtual time: the real core (`step`, `desiredFor`) and one real agent state machine a node, joined without
 * a network. Time jumps from one thing that happens to the next; at each, agents and core take turns until neither has
 * anything to say. After steps that move anything the promises of the core are checked.
 */
import type { StampedEvent } from '#core/events.ts';
import type { Input, Reply } from '#core/inputs.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { StateView } from '#core/state/view.ts';
import type { StepResult } from '#core/step.ts';
import { assert } from '#vocabulary/assert.ts';
import type { Launch } from '#vocabulary/assignment.ts';
import type { JobName, JobUid, NodeName } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import { StrictWatch } from '../promises/strictWatch.ts';
import type { ProgramPlan, Scenario } from '../scenario/scenario.ts';
import type { ControllerRestart } from '../scenario/trouble.ts';
import { Alarms } from './alarms.ts';
import type { Clock } from './clock.ts';
import { realCore, type Core } from './core.ts';
import { EventQueue } from './eventQueue.ts';
import { Inbox, type Offer } from './inbox.ts';
import { Links } from './links.ts';
import { movesAnything, PromiseWatch } from './promiseWatch.ts';
import { foldLog, throughSnapshot } from './recovery.ts';
import { Recorder } from './recorder.ts';
import { Roster } from './roster.ts';
import { SimAgent } from './simAgent.ts';
import type { SimProgram } from './simProgram.ts';

/** Time goes on at least in such leaps. Deadlines and what waits for a time are looked at exactly then (alarms.ts). */
const leapMs = 60_000;
/** So often it is looked at whether there are finished jobs to remove. */
const removalEveryMs = 3_600_000;
/** Turns of core and agents within one millisecond. */
const turnsMax = 1_000;
/** Passes that follow each other at once. */
const passesMax = 10_000;

export class World implements Clock {
  readonly recorder = new Recorder();
  readonly agents: ReadonlyMap<NodeName, SimAgent>;
  readonly #scenario: Scenario;
  readonly #core: Core;
  #state: State = emptyState();
  readonly #links: Links;
  readonly #alarms: Alarms;
  /** null: only the core's own checks are made. */
  readonly strict: StrictWatch | null;
  /** The log's lines; null: nobody will read them. */
  readonly #log: string[] | null;
  /** How the controller is to die, once it has committed something. */
  #doom: ControllerRestart | null = null;
  readonly #queue = new EventQueue();
  readonly #touched = new Set<SimAgent>();
  readonly #greeted = new Set<SimAgent>();
  /** Whose hello has arrived in its session. */
  readonly #welcome = new Set<SimAgent>();
  readonly #pushed = new Map<NodeName, number>();
  readonly #roster = new Roster(this);
  readonly #promises: PromiseWatch;
  readonly #inbox = new Inbox();
  #afterTurns: (() => void)[] = [];
  #nowMs = 0;
  #removalAtMs = removalEveryMs;
  #movedAtMs = 0;
  #repairsUntilMs = 0;

  constructor(scenario: Scenario, core: Core = realCore) {
    this.#scenario = scenario;
    this.#core = core;
    this.#promises = new PromiseWatch(() => this.#state, scenario);
    this.#links = new Links(this, scenario.trouble, scenario.seed);
    this.#alarms = new Alarms(
      this,
      () => this.#state,
      () => this.offer({ kind: 'tick' }),
    );
    this.strict = scenario.watch === 'every' ? new StrictWatch(scenario, core) : null;
    this.#log = scenario.watch === 'every' || (scenario.trouble?.controllerRestarts.length ?? 0) > 0 ? [] : null;
    const programs = {
      onWorkerStart: (agent: SimAgent, id: WorkerId, ranks: readonly number[]) =>
        this.strict?.noteStart(agent, id, { ranks, nowMs: this.#nowMs }),
      onWorkerUp: (agent: SimAgent, id: WorkerId, launch: Launch) => this.#roster.onWorkerUp(agent, id, launch),
      obeysTerm: (id: WorkerId) => this.#roster.planOf(id.job)?.onSuspend !== 'ignore',
      onWorkerBroken: (_agent: SimAgent, id: WorkerId) => this.#roster.find(id)?.breakUp(),
    };
    const touch = (agent: SimAgent): void => void this.#touched.add(agent);
    const { timings } = scenario;
    this.agents = new Map(scenario.nodes.map((plan) => [plan.name, new SimAgent(plan, { clock: this, timings, programs, touch })]));
  }

  get isControllerDead(): boolean {
    return this.#inbox.isDead;
  }

  /** The state that the log alone gives. */
  fold(): State {
    return foldLog(this.#log ?? [], this.#scenario.policy.recentEventsMax);
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
    this.#inbox.offer({ input, onReply });
  }

  /** When all that came at this time is done. */
  afterTurns(run: () => void): void {
    this.#afterTurns.push(run);
  }

  expectProgram(uid: JobUid, plan: ProgramPlan): void {
    this.#roster.expect(uid, plan);
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
      if (!this.#inbox.isEmpty) {
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
    for (let turn = 0; this.#touched.size > 0; turn += 1) {
      assert(turn < turnsMax, `agents and programs come to rest at ${this.#nowMs} ms`);
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
      if (this.#inbox.isDead) continue;
      const report = agent.takeNews();
      if (report === null) continue;
      const arrive = (): void => this.offer({ kind: 'report', node: agent.name, report });
      this.#links.carry(agent.name, 'up', arrive);
      this.#links.echo(agent.name, this.#scenario.timings.heartbeatMs, { arrive, after: () => agent.tellAgain() });
    }
  }

  #step(): void {
    const batch = this.#inbox.take();
    let inputs: readonly Input[] = batch.map(({ input }) => input);
    let replies: readonly Reply[] | null = null;
    for (let pass = 0; ; pass += 1, inputs = []) {
      assert(pass < passesMax, `passes of the core come to an end at ${this.#nowMs} ms`);
      const result = this.#stepOnce(inputs);
      replies ??= result.replies;
      const { events } = result;
      if (this.#doom !== null && events.length > 0) return this.#die(this.#doom, pass === 0 ? batch : []);
      if (pass === 0) for (const [index, reply] of replies.entries()) this.#answer(batch[index], reply);
      if (events.length > 0 || this.#greeted.size > 0) this.#push(events);
      if (!result.more) break;
    }
    this.#alarms.setWake();
  }

  #stepOnce(inputs: readonly Input[]): StepResult {
    const startedMs = performance.now();
    const result = this.#core.step(this.#state, inputs, this.context);
    this.recorder.noteStep(this.#state, result, { nowMs: this.#nowMs, wallMs: performance.now() - startedMs });
    if (result.events.some(movesAnything)) this.#movedAtMs = this.#nowMs;
    for (const event of result.events) {
      this.#log?.push(JSON.stringify(event));
      this.#alarms.note(event);
    }
    this.#promises.note(result.events, inputs, this.#nowMs);
    this.strict?.noteStep(this.#state, result, { inputs, nowMs: this.#nowMs });
    return result;
  }

  #answer(offer: Offer | undefined, reply: Reply): void {
    if (offer === undefined) return;
    if (reply.kind === 'applied' && reply.outcome === 'created' && offer.input.kind === 'applyJob')
      this.strict?.noteAcknowledged(reply.uid);
    offer.onReply(reply);
  }

  /** Kills the controller now, or as soon as it has committed something. One that is dead already stays so. */
  killController(restart: ControllerRestart): void {
    if (this.#inbox.isDead || this.#doom !== null) return;
    if (restart.afterCommit) this.#doom = restart;
    else this.#die(restart, []);
  }

  /** What is committed is all that is left of it. */
  #die({ forMs, fromSnapshot }: ControllerRestart, batch: readonly Offer[]): void {
    this.#doom = null;
    this.#inbox.close(batch);
    this.#greeted.clear();
    this.#welcome.clear();
    this.#pushed.clear();
    this.#alarms.forget();
    for (const { name } of this.agents.values()) this.#links.cut(name);
    this.expectRepair(this.#nowMs + forMs);
    this.at(this.#nowMs + forMs, () => this.#rise(fromSnapshot));
  }

  #rise(fromSnapshot: boolean): void {
    const dead = this.#state;
    this.#state = fromSnapshot ? throughSnapshot(dead) : this.fold();
    this.recorder.rebind(this.#state);
    this.strict?.noteRecovered(dead, this.#state, this.#nowMs);
    this.#inbox.open([{ kind: 'electLeader', version: 'simulated' }, { kind: 'tick' }]);
    for (const agent of this.agents.values()) {
      if (agent.awayUntilMs === null) this.#greet(agent);
      else this.#expectSilence(agent, this.#nowMs);
    }
  }

  /** The agent's process ends and is there again at once; what it runs goes on. */
  restartAgent(name: NodeName): void {
    const agent = this.agent(name);
    if (agent.isDown) return;
    agent.restart();
    if (agent.awayUntilMs === null && !this.#inbox.isDead) this.#greet(agent);
  }

  /** Assignments whose generation moved, to agents that can be heard; and to those that just came. */
  #push(events: readonly StampedEvent[]): void {
    for (const name of this.#nodesOf(events)) {
      const [node, agent] = [this.#state.nodes.get(name), this.agents.get(name)];
      if (node === undefined || agent === undefined || agent.awayUntilMs !== null || !this.#welcome.has(agent)) continue;
      if (this.#pushed.get(name) === node.generation && !this.#greeted.has(agent)) continue;
      this.#pushed.set(name, node.generation);
      const assignment = this.#core.desiredFor(this.#state, name);
      this.#links.carry(name, 'down', () => {
        for (const { id, desire } of assignment.workers) if (desire.kind === 'suspend') this.#roster.find(id)?.sync();
        agent.takeAssignment(assignment);
      });
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

  /** A session begins. */
  #greet(agent: SimAgent): void {
    this.#links.cut(agent.name);
    this.#welcome.delete(agent);
    this.#touched.add(agent);
    const hello = agent.hello();
    this.#links.carry(agent.name, 'up', () => {
      this.#greeted.add(agent);
      this.#welcome.add(agent);
      this.offer({ kind: 'hello', hello }, (reply) => {
        assert(reply.kind !== 'refused', `node ${agent.name} is refused: ${reply.kind === 'refused' ? reply.message : ''}`);
      });
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
    return this.#roster.find({ job, attempt });
  }

  programsOn(agent: SimAgent): readonly SimProgram[] {
    return this.#roster.on(agent);
  }

  /** Not heard of until then. Without power nothing of the node runs on. */
  silence(agent: SimAgent, untilMs: number, withPower: boolean): void {
    const { heartbeatMs } = this.#scenario.timings;
    const wasAway = agent.awayUntilMs !== null;
    const awayUntilMs = Math.max(agent.awayUntilMs ?? 0, untilMs);
    agent.awayUntilMs = awayUntilMs;
    if (!withPower && !agent.isDown) agent.powerOff();
    this.expectRepair(awayUntilMs);
    if (Number.isFinite(untilMs)) this.at(untilMs, () => this.#returnOf(agent));
    if (wasAway) return;
    this.#links.cut(agent.name);
    this.#welcome.delete(agent);
    this.#expectSilence(agent, Math.max(agent.lastReportMs, Math.floor(this.#nowMs / heartbeatMs) * heartbeatMs));
  }

  #expectSilence(agent: SimAgent, heardAtMs: number): void {
    this.at(Math.max(this.#nowMs, heardAtMs + this.#scenario.timings.lostMs), () => {
      if (agent.awayUntilMs !== null && agent.lastReportMs <= heardAtMs)
        this.offer({ kind: 'nodeSilent', node: agent.name, silentMs: this.#nowMs - heardAtMs });
    });
  }

  #returnOf(agent: SimAgent): void {
    if (agent.awayUntilMs === null || agent.awayUntilMs > this.#nowMs) return;
    agent.awayUntilMs = null;
    if (agent.isDown) agent.powerOn();
    if (!this.#inbox.isDead) this.#greet(agent);
  }
}
