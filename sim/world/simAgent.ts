/**
 * One node: the real state machine of the agent (agent/core) with a simulated runtime, clock and journal. What the real
 * loop does with processes is done here with times: a launch takes `launchMs`, a signalled worker is gone after `stopMs`.
 */
import { acceptAssignment } from '#agent/core/acceptAssignment.ts';
import { applyAction } from '#agent/core/applyAction.ts';
import { converge, nextWakeMs, type Action } from '#agent/core/converge.ts';
import { emptyNodeState, type NodeState, type RankRecord, type WorkerRecord } from '#agent/core/nodeState.ts';
import { entriesOf, journalKinds, restoreState, type JournalEntry } from '#agent/core/journalEntry.ts';
import { observe } from '#agent/core/observe.ts';
import { onOtherBoot, onRankFate, onTreeSeen, type RankFate } from '#agent/core/onRuntime.ts';
import { withWorker } from '#agent/core/applyAction.ts';
import { assert } from '#vocabulary/assert.ts';
import type { Assignment, Launch } from '#vocabulary/assignment.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { GpuHealth } from '#vocabulary/observed.ts';
import { protocolVersion, type Hello, type Report } from '#vocabulary/session.ts';
import type { NodePlan, Timings } from '../scenario/scenario.ts';
import type { Clock } from './clock.ts';
import { inventoryOf } from './inventory.ts';

/** What a simulated program must hear of its workers. */
export interface Programs {
  onWorkerStart(agent: SimAgent, id: WorkerId, ranks: readonly number[]): void;
  onWorkerUp(agent: SimAgent, id: WorkerId, launch: Launch): void;
  /** It was told by SIGTERM to go: whether it does. */
  obeysTerm(id: WorkerId): boolean;
  onWorkerBroken(agent: SimAgent, id: WorkerId): void;
}

export interface AgentParts {
  readonly clock: Clock;
  readonly timings: Timings;
  readonly programs: Programs;
  /** Its state, or what it sees, changed. */
  readonly touch: (agent: SimAgent) => void;
}

/** As in the agent's own limits: how many ended workers are remembered by name. */
const forgottenMax = 10_000;

export class SimAgent {
  readonly name: NodeName;
  readonly plan: NodePlan;
  readonly health: GpuHealth[];
  /** Stretches the steps of what runs here. */
  slowFactor = 1;
  /** When what was in the memory of the node was last lost; -1: never. */
  memoryLostAtMs = -1;
  /** When it comes back; null: it is there; Infinity: it stays away. */
  awayUntilMs: number | null = null;
  lastReportMs = 0;
  readonly #parts: AgentParts;
  #state: NodeState = emptyNodeState;
  #boot = 1;
  #sequence = 0;
  #reported: NodeState | null = null;
  #isHealthNew = false;
  #wakeMs: number | null = null;

  constructor(plan: NodePlan, parts: AgentParts) {
    this.name = plan.name;
    this.plan = plan;
    this.#parts = parts;
    this.health = Array.from({ length: plan.gpus }, (_, index) => ({ index, healthy: true, code: '', message: '' }));
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  #isDown = false;

  worker(id: WorkerId): WorkerRecord | undefined {
    return this.#state.workers.get(workerKey(id));
  }

  workers(): Iterable<WorkerRecord> {
    return this.#state.workers.values();
  }

  hello(): Hello {
    this.#noteReported();
    const inventory = inventoryOf(this.plan, this.#bootId());
    return {
      node: this.name,
      protocolVersion,
      agentVersion: 'simulated',
      inventory,
      epochSeen: this.#state.seen.epoch,
      workers: observe(this.#state),
      gpuHealth: [...this.health],
      labels: this.plan.spare ? { 'shoal.dev/spare': 'true' } : {},
    };
  }

  /** null: the controller knows all of it already, or cannot hear it. A heartbeat without news changes nothing and is left out. */
  takeNews(): Report | null {
    if (this.awayUntilMs !== null || (this.#state === this.#reported && !this.#isHealthNew)) return null;
    this.#sequence += 1;
    this.#noteReported();
    const { seen } = this.#state;
    const gpuHealth = [...this.health];
    return { sequence: this.#sequence, generation: seen.generation, workers: observe(this.#state), gpuHealth, samples: [] };
  }

  #noteReported(): void {
    this.#reported = this.#state;
    this.#isHealthNew = false;
    this.lastReportMs = this.#parts.clock.nowMs();
  }

  takeAssignment(assignment: Assignment): void {
    const accepted = acceptAssignment(this.#state, assignment);
    assert(accepted.ok, `node ${this.name} refuses its assignment: ${accepted.ok ? '' : accepted.reason}`);
    this.change(() => accepted.state);
  }

  change(apply: (state: NodeState) => NodeState): void {
    const next = apply(this.#state);
    if (next === this.#state) return;
    this.#state = next;
    this.#parts.touch(this);
  }

  setHealth(health: GpuHealth): void {
    this.health[health.index] = health;
    this.#isHealthNew = true;
    this.#parts.touch(this);
  }

  /** Decides and does until nothing is left to do now. */
  settle(): void {
    if (this.#isDown) return;
    const { clock } = this.#parts;
    for (let round = 0; ; round += 1) {
      assert(round < 1_000, `agent ${this.name} comes to rest`);
      const actions = converge(this.#state, clock.nowMs());
      if (actions.length === 0) break;
      for (const action of actions) this.change((state) => applyAction(state, action, { bootId: this.#bootId(), forgottenMax }));
      for (const action of actions) this.#perform(action);
    }
    this.#armWake();
  }

  #perform(action: Action): void {
    const { clock, timings } = this.#parts;
    const nowMs = clock.nowMs();
    switch (action.kind) {
      case 'start':
        this.#parts.programs.onWorkerStart(this, action.id, action.ranks);
        this.#later(timings.launchMs, () => this.#onLaunched(action.id, action.ranks));
        return;
      case 'terminate':
        if (!this.#parts.programs.obeysTerm(action.id)) return;
        this.#later(timings.stopMs, () => this.endRanks(action.id, { kind: 'ended', exitCode: null, signal: 'SIGTERM' }));
        return;
      case 'kill':
        this.#parts.programs.onWorkerBroken(this, action.id);
        this.#later(timings.stopMs, () => this.endRanks(action.id, { kind: 'ended', exitCode: null, signal: 'SIGKILL' }));
        return;
      case 'confirm':
        this.change((state) => onTreeSeen(state, action.id, { alive: false, nowMs }));
        return;
      case 'admit':
      case 'suspend':
      case 'unsuspend':
      case 'forget':
        return;
    }
  }

  /** In this boot of the machine only. */
  #later(ms: number, run: () => void): void {
    const boot = this.#boot;
    const { clock } = this.#parts;
    clock.at(clock.nowMs() + ms, () => {
      if (boot === this.#boot) run();
    });
  }

  #onLaunched(id: WorkerId, ranks: readonly number[]): void {
    const launching = ranks.filter((rank) => this.#rank(id, rank)?.life.kind === 'launching');
    for (const rank of launching) this.change((state) => onRankFate(state, id, rank, { kind: 'alive', pid: 1 }));
    const worker = this.worker(id);
    if (launching.length > 0 && worker !== undefined && worker.ranks.every(({ life }) => life.kind === 'running'))
      this.#parts.programs.onWorkerUp(this, id, worker.launch);
  }

  #rank(id: WorkerId, rank: number): RankRecord | undefined {
    return this.worker(id)?.ranks.find((each) => each.rank === rank);
  }

  /** Ranks that live end so; of one rank when it is named. */
  endRanks(id: WorkerId, fate: RankFate, only: number | null = null): void {
    for (const { rank, life } of this.worker(id)?.ranks ?? []) {
      const isAlive = life.kind === 'running' || life.kind === 'launching';
      if (isAlive && (only === null || only === rank)) this.change((state) => onRankFate(state, id, rank, fate));
    }
    this.#parts.programs.onWorkerBroken(this, id);
  }

  /**
   * The agent's process is another one, which knows what the journal tells. Launches under way were found alive by the
   * runtime when it asked.
   */
  restart(): void {
    for (const { id, ranks } of [...this.#state.workers.values()])
      this.#onLaunched(
        id,
        ranks.map(({ rank }) => rank),
      );
    const journal: unknown = JSON.parse(JSON.stringify(entriesOf(this.#state)));
    assert(isJournal(journal), 'a journal is a list of entries');
    const state = restoreState(journal);
    this.change(() => state);
  }

  /** A newer report may have been overtaken by an older one: the next heartbeat says it all again. */
  tellAgain(): void {
    this.#reported = null;
    this.#parts.touch(this);
  }

  /** Power is gone: whatever ran here does not any more, and nobody is told. */
  powerOff(): void {
    this.#boot += 1;
    this.#isDown = true;
    this.memoryLostAtMs = this.#parts.clock.nowMs();
    for (const { id } of this.#state.workers.values()) this.#parts.programs.onWorkerBroken(this, id);
  }

  /** The machine is up again and the agent has read its journal. */
  powerOn(): void {
    this.#isDown = false;
    let state: NodeState = { ...this.#state, confirmed: false };
    for (const { id } of this.#state.workers.values()) state = withWorker(state, id, onOtherBoot);
    this.change(() => state);
  }

  #bootId(): string {
    return `boot-${this.#boot}`;
  }

  #armWake(): void {
    const atMs = nextWakeMs(this.#state);
    if (atMs === null || atMs === this.#wakeMs) return;
    this.#wakeMs = atMs;
    this.#parts.clock.at(atMs, () => {
      if (this.#wakeMs === atMs) this.#wakeMs = null;
      this.#parts.touch(this);
    });
  }
}

function isJournal(value: unknown): value is readonly JournalEntry[] {
  return (
    Array.isArray(value) &&
    value.every(
      (entry: unknown) => typeof entry === 'object' && entry !== null && 'kind' in entry && journalKinds.includes(String(entry.kind)),
    )
  );
}
