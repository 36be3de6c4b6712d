import { desiredFor } from '#core/desired.ts';
import type { Waits } from '#core/schedule/waiting/waits.ts';
import type { Policy } from '#core/context.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { explainWait } from '#core/schedule/explain/explainWait.ts';
import { apply } from '#core/state/apply.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { JobView, StateView } from '#core/state/view.ts';
import { step } from '#core/step.ts';
import { defaultPolicy } from '#controller/limits.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { unaskedSpec } from '#vocabulary/job.ts';
import { defaultQueueSpec, type QueueSpec } from '#vocabulary/queue.ts';
import { jobName, jobUid, nodeName, queueName, reservationName, userName } from '#vocabulary/ids.ts';
import type { NodeChoice, ReservationSpec } from '#vocabulary/reservation.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { Verdict } from '#vocabulary/verdict.ts';
import type { NodeShape } from './fakeAgent.ts';
import { FakeAgent } from './fakeAgent.ts';
import type { Random } from '#sim/random.ts';

export const policy = { ...defaultPolicy, progressRecordMs: 1_000 };

interface GridShape {
  readonly racks: number;
  readonly nodesPerRack: number;
  readonly gpus: number;
}

/** Node n21 is the first one of rack r2. */
function grid({ racks, nodesPerRack, gpus }: GridShape): readonly NodeShape[] {
  return Array.from({ length: racks * nodesPerRack }, (_, index) => {
    const rack = Math.floor(index / nodesPerRack) + 1;
    return { name: `n${rack}${(index % nodesPerRack) + 1}`, rack: `r${rack}`, gpus };
  });
}

/** A small job; the fields that a test is about are given. */
function jobSpec(changes: Partial<JobSpec> = {}): JobSpec {
  return {
    ...unaskedSpec,
    queue: queueName('default'),
    priority: 20,
    preemptible: true,
    gpuModels: [],
    workers: 1,
    gpusPerWorker: 1,
    processesPerWorker: 'worker',
    mesh: [],
    constraints: [],
    checkpoint: { directory: '/ckpt', intervalMs: null, graceMs: 30_000, keep: null },
    restarts: { max: 0, withinMs: null },
    maxRuntimeMs: null,
    template: { command: ['train'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null },
    unserved: {},
    ...changes,
  };
}

export function applyJob(name: string, changes: Partial<JobSpec> = {}, user = 'alice'): Extract<Input, { kind: 'applyJob' }> {
  return {
    kind: 'applyJob',
    name: jobName(name),
    uid: jobUid(`uid-${name}`),
    user: userName(user),
    labels: {},
    annotations: {},
    spec: jobSpec(changes),
  };
}

export function applyQueue(name: string, changes: Partial<QueueSpec> = {}): Extract<Input, { kind: 'applyQueue' }> {
  return {
    kind: 'applyQueue',
    name: queueName(name),
    labels: {},
    spec: { ...defaultQueueSpec, ...changes },
  };
}

/** For all who are named in `changes`, else maintenance; `start` and `duration` are seconds. */
export function reserve(
  name: string,
  { start, duration, ...changes }: Partial<ReservationSpec> & { readonly start?: number; readonly duration: number },
): Extract<Input, { kind: 'applyReservation' }> {
  const { users = [], queues = [], jobs = [] } = changes;
  const spec: ReservationSpec = {
    purpose: users.length + queues.length + jobs.length === 0 ? 'maintenance' : 'use',
    reason: '',
    nodes: { kind: 'names', names: [] },
    users,
    queues,
    jobs,
    startMs: start === undefined ? null : start * 1_000,
    durationMs: duration * 1_000,
    repeat: null,
    drain: 'suspend',
    lend: false,
    ...changes,
  };
  return { kind: 'applyReservation', name: reservationName(name), user: userName('op'), labels: {}, spec };
}

/** Nodes by name. */
export const onNodes = (...names: readonly string[]): NodeChoice => ({ kind: 'names', names: names.map(nodeName) });

/**
 * The core with fake agents in virtual time: a second passes with each `tick`. After every step the promises are
 * checked, so that a test only has to make things happen.
 */
export class FakeCluster {
  readonly agents: FakeAgent[] = [];
  readonly log: StampedEvent[] = [];
  readonly state: State = emptyState();
  /** Nodes that cannot be heard. */
  readonly cut = new Set<FakeAgent>();
  /** Why each waiting job waits, as the last pass said. */
  waits: Waits = new Map();
  /** When that pass was run. */
  passAtMs = 0;
  /** The last step said that another one is due at once. */
  more = false;
  nowMs = 1_000_000;
  /** Steps of jobs that are of another length than what `tick` says, by uid. */
  readonly steps = new Map<string, number>();
  readonly #policy: Policy;
  readonly #silentSinceMs = new Map<FakeAgent, number>();

  constructor(shape: GridShape | readonly NodeShape[], changes: Partial<Policy> = {}) {
    this.#policy = { ...policy, ...changes };
    this.step([{ kind: 'createCluster', clusterId: 'test' }, { kind: 'electLeader', version: 'test' }, applyQueue('default')]);
    for (const one of 'racks' in shape ? grid(shape) : shape) this.join(one);
  }

  join(shape: NodeShape): void {
    const agent = new FakeAgent(shape);
    this.agents.push(agent);
    this.step([{ kind: 'hello', hello: agent.hello() }]);
  }

  get view(): StateView {
    return this.state;
  }

  /** One line a job, by name: `a n11:0,1 n12:0,1` (node and GPUs in worker order), or why it waits, or what it is instead. */
  placements(): readonly string[] {
    return [...this.view.jobs.values()].sort((left, right) => (left.name < right.name ? -1 : 1)).map((job) => this.#describe(job));
  }

  #describe(job: JobView): string {
    const wait = this.waits.get(job.uid);
    if (job.phase.kind === 'pending') return `${job.name} waits: ${wait === undefined ? 'for a pass' : describeWait(wait)}`;
    const attempt = currentAttempt(job);
    if (attempt === undefined) return `${job.name} ${job.phase.kind}`;
    return [
      job.name,
      ...attempt.placement.map((place) => [place.node, ...(place.gpus.length === 0 ? [] : [place.gpus.join(',')])].join(':')),
    ].join(' ');
  }

  job(name: string): StateView['jobs'] extends ReadonlyMap<infer _K, infer J> ? J : never {
    const job = this.view.jobs.get(jobUid(`uid-${name}`));
    if (job === undefined) throw new Error(`no job ${name}`);
    return job;
  }

  /** Why the job waits; null: it does not, or no pass has looked at it. */
  verdictOf(job: JobView): Verdict | null {
    return explainWait(this.view, { waits: this.waits, atMs: this.passAtMs }, job, { nowMs: this.nowMs, policy: this.#policy });
  }

  agent(name: string): FakeAgent {
    const agent = this.agents.find((one) => one.name === name);
    if (agent === undefined) throw new Error(`no node ${name}`);
    return agent;
  }

  limit(queue: string, limit: QueueSpec['limit']): void {
    this.step([applyQueue(queue, { limit })]);
  }

  /** One step of the core, and the promises after it. */
  step(inputs: readonly Input[]): readonly Reply[] {
    const result = step(this.state, inputs, { nowMs: this.nowMs, policy: this.#policy });
    this.log.push(...result.events);
    if (result.waits !== null) [this.waits, this.passAtMs] = [result.waits, this.nowMs];
    this.more = result.more;
    const broken = findBrokenPromises(this.state, policy);
    if (broken.length > 0) throw new Error(`after ${JSON.stringify(inputs.map((input) => input.kind))}: ${broken.join('; ')}`);
    return result.replies;
  }

  /** A second: assignments go out, programs make a step, reports come in, silence is noticed. */
  tick(program = { total: 20, saveEvery: 5 }): void {
    this.nowMs += 1_000;
    const heard = this.agents.filter((agent) => !this.cut.has(agent));
    for (const agent of heard) agent.take(desiredFor(this.state, agent.name));
    for (const agent of this.agents) agent.settle();
    this.#train(program);
    for (const agent of heard) this.step([{ kind: 'report', node: agent.name, report: agent.report() }]);
    this.#noticeSilence(heard);
    this.step([{ kind: 'tick' }]);
  }

  /** A gang steps together or not at all, as collectives make it. */
  #train(program: { readonly total: number; readonly saveEvery: number }): void {
    const members = this.agents.flatMap((agent) => agent.running().map((worker) => ({ agent, ...worker })));
    for (const gang of Map.groupBy(members, (member) => member.attempt).values()) {
      if (gang.length !== gang[0]?.world || gang.some(({ agent, key }) => agent.isHeld(key))) continue;
      const total = this.steps.get(gang[0].attempt.split('/')[0] ?? '') ?? program.total;
      for (const { agent, key } of gang) agent.step(key, { ...program, total });
    }
  }

  #noticeSilence(heard: readonly FakeAgent[]): void {
    for (const agent of this.agents) {
      if (heard.includes(agent)) {
        this.#silentSinceMs.delete(agent);
        continue;
      }
      const sinceMs = this.#silentSinceMs.get(agent) ?? this.nowMs;
      this.#silentSinceMs.set(agent, sinceMs);
      if (this.nowMs - sinceMs >= 8_000) this.step([{ kind: 'nodeSilent', node: agent.name, silentMs: this.nowMs - sinceMs }]);
    }
  }

  reconnect(agent: FakeAgent): void {
    this.cut.delete(agent);
    this.step([{ kind: 'hello', hello: agent.hello() }]);
  }

  /** Much time passes in which nothing is reported. */
  sleep(ms: number): void {
    this.nowMs += ms;
    this.step([{ kind: 'tick' }]);
  }

  /** Ticks until it holds; throws after `maxTicks`. */
  until(what: string, holds: () => boolean, maxTicks = 200): void {
    for (let tick = 0; tick < maxTicks; tick += 1) {
      if (holds()) return;
      this.tick();
    }
    throw new Error(`not within ${maxTicks} s: ${what}`);
  }

  /** The state that the log alone gives. */
  replay(): string {
    const state = emptyState();
    for (const event of this.log) apply(state, event, policy.recentEventsMax);
    return printSnapshot(state);
  }
}

/** Something goes wrong, or somebody wants something. Returns what, for the report of a failing seed. */
export function disturb(cluster: FakeCluster, random: Random): string {
  const agent = random.pick(cluster.agents);
  const name = random.pick([...cluster.view.jobs.values()].filter((job) => job.phase.kind !== 'finished'))?.name;
  if (agent === undefined) return 'nothing';
  const deeds: readonly (() => string)[] = [
    () => (cluster.cut.add(agent), `cut ${agent.name}`),
    () => (agent.powerOff(), cluster.cut.add(agent), `power off ${agent.name}`),
    () => (cluster.cut.has(agent) ? (cluster.reconnect(agent), `reconnect ${agent.name}`) : 'nothing'),
    () => (cluster.cut.has(agent) ? (cluster.reconnect(agent), `reconnect ${agent.name}`) : 'nothing'),
    () => (agent.crashOne(random.pick(agent.running())?.key ?? '', 1), `crash on ${agent.name}`),
    () => (agent.setHealth(0, random.chance(0.5)), `health of ${agent.name}`),
    () => (name === undefined ? 'nothing' : (cluster.step([{ kind: 'suspendJob', name, user: userName('bob') }]), `suspend ${name}`)),
    () => (name === undefined ? 'nothing' : (cluster.step([{ kind: 'resumeJob', name, user: userName('bob') }]), `resume ${name}`)),
    () => (
      cluster.step([{ kind: 'cordonNode', node: agent.name, user: userName('bob'), reason: '', drain: random.chance(0.5) }]),
      `cordon ${agent.name}`
    ),
    () => (cluster.step([{ kind: 'uncordonNode', node: agent.name, user: userName('bob') }]), `uncordon ${agent.name}`),
  ];
  return random.pick(deeds)?.() ?? 'nothing';
}
