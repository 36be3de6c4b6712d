import { desiredFor } from '#core/desired.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { apply } from '#core/state/apply.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/state.ts';
import type { StateView } from '#core/state/view.ts';
import { step } from '#core/step.ts';
import { defaultPolicy } from '#controller/limits.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { jobName, jobUid, nodeName, queueName, userName } from '#vocabulary/ids.ts';
import { FakeAgent } from './fakeAgent.ts';
import type { Random } from './random.ts';

export const policy = { ...defaultPolicy, progressRecordMs: 1_000 };

/** A small job; the fields that a test is about are given. */
function jobSpec(changes: Partial<JobSpec> = {}): JobSpec {
  return {
    queue: queueName('default'), priority: 20, preemptible: true, gpuModels: [], workers: 1, gpusPerWorker: 1, processesPerWorker: 'worker', mesh: [],
    constraints: [], checkpoint: { directory: '/ckpt', intervalMs: null, graceMs: 30_000, keep: null }, restarts: { max: 0, withinMs: null }, maxRuntimeMs: null,
    template: { command: ['train'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null }, unserved: {},
    ...changes,
  };
}

export function applyJob(name: string, changes: Partial<JobSpec> = {}): Input {
  return { kind: 'applyJob', name: jobName(name), uid: jobUid(`uid-${name}`), user: userName('alice'), labels: {}, annotations: {}, spec: jobSpec(changes) };
}

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
  nowMs = 1_000_000;
  readonly #silentSinceMs = new Map<FakeAgent, number>();

  constructor(shape: { readonly racks: number; readonly nodesPerRack: number; readonly gpus: number }) {
    this.step([
      { kind: 'createCluster', clusterId: 'test' },
      { kind: 'electLeader', version: 'test' },
      { kind: 'applyQueue', name: queueName('default'), labels: {}, spec: { parent: null, limit: {}, perUser: { limit: {}, maxRunning: null }, unserved: {} } },
    ]);
    for (let rack = 1; rack <= shape.racks; rack += 1) {
      for (let node = 1; node <= shape.nodesPerRack; node += 1) {
        const agent = new FakeAgent(nodeName(`n${rack}${node}`), ['z1', 'b1', `r${rack}`], shape.gpus);
        this.agents.push(agent);
        this.step([{ kind: 'hello', hello: agent.hello() }]);
      }
    }
  }

  get view(): StateView {
    return this.state;
  }

  job(name: string): StateView['jobs'] extends ReadonlyMap<infer _K, infer J> ? J : never {
    const job = this.view.jobs.get(jobUid(`uid-${name}`));
    if (job === undefined) throw new Error(`no job ${name}`);
    return job;
  }

  agent(name: string): FakeAgent {
    const agent = this.agents.find((one) => one.name === name);
    if (agent === undefined) throw new Error(`no node ${name}`);
    return agent;
  }

  /** One step of the core, and the promises after it. */
  step(inputs: readonly Input[]): readonly Reply[] {
    const result = step(this.state, inputs, { nowMs: this.nowMs, policy });
    this.log.push(...result.events);
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
      for (const { agent, key } of gang) agent.step(key, program);
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
    () => (cluster.step([{ kind: 'cordonNode', node: agent.name, user: userName('bob'), reason: '', drain: random.chance(0.5) }]), `cordon ${agent.name}`),
    () => (cluster.step([{ kind: 'uncordonNode', node: agent.name, user: userName('bob') }]), `uncordon ${agent.name}`),
  ];
  return random.pick(deeds)?.() ?? 'nothing';
}
