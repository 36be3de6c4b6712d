/** What a fault does to simulated nodes and programs. The controller learns of it as of a real one: by reports and by silence. */
import type { JobName, NodeName } from '#vocabulary/ids.ts';
import type { Random } from '../random.ts';
import type { FailurePlan, Fault, MixRow, Timings } from '../scenario/scenario.ts';
import type { Clock } from './clock.ts';
import type { SimAgent } from './simAgent.ts';
import type { SimProgram } from './simProgram.ts';

export interface FaultParts {
  readonly clock: Clock;
  readonly timings: Timings;
  agent(name: NodeName): SimAgent;
  programsOn(agent: SimAgent): readonly SimProgram[];
  /** Of the attempt that runs; null: none does. */
  programOf(job: JobName): SimProgram | null;
  /** The node cannot be heard any more; it comes back then (Infinity: never). */
  silence(agent: SimAgent, untilMs: number, withPower: boolean): void;
  warn(object: string, reason: string, message: string): void;
  /** Something will mend by itself at that time. */
  expectRepair(atMs: number): void;
}

/** Raised by a faulty program on a device that is well (NVIDIA's catalogue: application errors). */
const applicationXids: ReadonlySet<number> = new Set([13, 31, 43, 45]);
/** Nothing short of a reboot brings the device back: off the bus, or its own processor does not answer. */
const deadXids: ReadonlySet<number> = new Set([79, 119, 120]);

export class Faults {
  readonly #parts: FaultParts;
  /** By node and GPU: the fault that is there now, so that an older one's repair does not mend it. */
  readonly #gpuFaults = new Map<string, number>();
  #count = 0;

  constructor(parts: FaultParts) {
    this.#parts = parts;
  }

  strike(fault: Fault): void {
    if (fault.kind === 'hang' || fault.kind === 'process-exit') return this.#strikeJob(fault);
    for (const name of fault.nodes) this.#strikeNode(this.#parts.agent(name), fault);
  }

  #strikeJob(fault: Extract<Fault, { kind: 'hang' | 'process-exit' }>): void {
    const program = this.#parts.programOf(fault.job);
    if (program === null) return this.#parts.warn(`job/${fault.job}`, 'FaultMissed', `${fault.kind}: the job does not run`);
    if (fault.kind === 'hang') return program.breakUp();
    for (const { agent, id } of program.members) {
      const ranks = agent.worker(id)?.ranks ?? [];
      if (ranks.some(({ rank }) => rank === fault.rank))
        return agent.endRanks(id, { kind: 'ended', exitCode: fault.code, signal: null }, fault.rank);
    }
    this.#parts.warn(`job/${fault.job}`, 'FaultMissed', `process-exit: the job has no rank ${fault.rank} now`);
  }

  #strikeNode(agent: SimAgent, fault: Exclude<Fault, { kind: 'hang' | 'process-exit' }>): void {
    const { clock, timings } = this.#parts;
    const nowMs = clock.nowMs();
    switch (fault.kind) {
      case 'xid':
        if (applicationXids.has(fault.code)) return this.#failProgram(agent, fault.gpu, 1);
        return this.#breakGpu(agent, fault.gpu, `xid:${fault.code}`, fault.forMs ?? this.#mendMs(deadXids.has(fault.code)));
      case 'gpu-lost':
        return this.#breakGpu(agent, fault.gpu, 'gpu-lost', fault.forMs ?? this.#mendMs(true));
      case 'agent-lost':
        return this.#parts.silence(agent, nowMs + (fault.forMs ?? Number.POSITIVE_INFINITY), true);
      case 'node-down':
        return this.#parts.silence(agent, nowMs + (fault.forMs ?? Number.POSITIVE_INFINITY) + timings.rebootMs, false);
      case 'link-flap':
        return this.#flap(agent, fault.forMs, fault.times);
      case 'slow':
        return this.#slow(agent, fault.factor, fault.forMs);
      case 'validator-fails':
        return this.#parts.warn(`node/${agent.name}`, 'NotServed', 'validator-fails has no effect: this version runs no validator');
    }
  }

  #mendMs(needsReboot: boolean): number {
    return needsReboot ? this.#parts.timings.rebootMs : this.#parts.timings.resetMs;
  }

  /** The program that uses the GPU stands still; its attempt ends when the controller hears of it. */
  #breakGpu(agent: SimAgent, gpu: number, code: string, forMs: number): void {
    this.#count += 1;
    const fault = this.#count;
    const key = `${agent.name}/${gpu}`;
    this.#gpuFaults.set(key, fault);
    for (const program of this.#usersOf(agent, gpu)) program.breakUp();
    agent.setHealth({ index: gpu, healthy: false, code, message: 'simulated fault' });
    this.#later(forMs, () => {
      if (this.#gpuFaults.get(key) === fault) agent.setHealth({ index: gpu, healthy: true, code: '', message: '' });
    });
  }

  #usersOf(agent: SimAgent, gpu: number): readonly SimProgram[] {
    return this.#parts
      .programsOn(agent)
      .filter((program) =>
        program.members.some((member) => member.agent === agent && agent.worker(member.id)?.gpus.includes(gpu) === true),
      );
  }

  #failProgram(agent: SimAgent, gpu: number, exitCode: number): void {
    for (const program of this.#usersOf(agent, gpu)) {
      for (const member of program.members) {
        if (member.agent === agent && agent.worker(member.id)?.gpus.includes(gpu) === true)
          agent.endRanks(member.id, { kind: 'ended', exitCode, signal: null });
      }
    }
  }

  /** Up again for as long as it was down, `times` times. */
  #flap(agent: SimAgent, forMs: number, times: number): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const program of this.#parts.programsOn(agent)) program.pause(nowMs + forMs);
    if (times > 1) this.#later(2 * forMs, () => this.#flap(agent, forMs, times - 1));
  }

  #slow(agent: SimAgent, factor: number, forMs: number | null): void {
    agent.slowFactor *= factor;
    for (const program of this.#parts.programsOn(agent)) program.rebase();
    if (forMs === null) return;
    this.#later(forMs, () => {
      agent.slowFactor = Math.max(1, agent.slowFactor / factor);
      for (const program of this.#parts.programsOn(agent)) program.rebase();
    });
  }

  #later(ms: number, run: () => void): void {
    if (!Number.isFinite(ms)) return;
    const atMs = this.#parts.clock.nowMs() + ms;
    this.#parts.expectRepair(atMs);
    this.#parts.clock.at(atMs, run);
  }

  /** Draws faults from now on: times from a Poisson process over all nodes, kinds from the mix. */
  begin(plan: FailurePlan, nodes: readonly SimAgent[], random: Random): void {
    const perMs = (nodes.length * plan.perThousandNodeDays) / 1000 / 86_400_000;
    if (perMs === 0) return;
    const { clock } = this.#parts;
    const next = (): void => {
      clock.at(clock.nowMs() + random.exponential(1 / perMs), () => {
        this.#strikeRandom(plan, nodes, random);
        next();
      });
    };
    next();
  }

  #strikeRandom(plan: FailurePlan, nodes: readonly SimAgent[], random: Random): void {
    const agent = nodes[random.below(nodes.length)];
    const row = pickRow(plan.mix, random);
    const isHard = random.next() < plan.hardShare;
    const forMs = random.exponential(isHard ? plan.meanHardRepairMs : plan.meanSoftRepairMs);
    const gpu = random.below(Math.max(1, agent?.plan.gpus ?? 1));
    if (agent === undefined || row === undefined || agent.isDown) return;
    const { effect } = row;
    switch (effect.kind) {
      case 'xid':
        return agent.plan.gpus === 0 ? undefined : this.#breakGpu(agent, gpu, `xid:${effect.code}`, forMs);
      case 'node-down':
        return this.#strikeNode(agent, { kind: 'node-down', nodes: [agent.name], forMs });
      case 'link-flap':
        return this.#flap(agent, forMs, 1);
      case 'slow':
        return this.#slow(agent, effect.factor, forMs);
      case 'process-exit':
        return this.#failProgram(agent, gpu, effect.code);
    }
  }
}

function pickRow(mix: readonly MixRow[], random: Random): MixRow | undefined {
  let rest = random.next() * mix.reduce((sum, row) => sum + row.weight, 0);
  for (const row of mix) {
    rest -= row.weight;
    if (rest < 0) return row;
  }
  return mix.at(-1);
}
