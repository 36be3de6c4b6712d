import type { AssignedWorker, Assignment, Desire } from '#vocabulary/assignment.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { epoch, generation, nodeName } from '#vocabulary/ids.ts';
import { workerKey } from '#vocabulary/job.ts';
import type { GpuHealth, ObservedWorker, WorkerEnd } from '#vocabulary/observed.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';

/** A machine; two GPUs of it share an NVLink domain unless `nvlink` says otherwise, one entry a GPU. */
export interface NodeShape {
  readonly name: string;
  readonly rack: string;
  readonly gpus: number;
  readonly zone?: string;
  readonly block?: string;
  readonly model?: string;
  readonly nvlink?: readonly (number | null)[];
  /** By GPU: MIG profiles that it is divided into; none: it is whole. */
  readonly slots?: readonly (readonly string[])[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a checkpoint takes, of the second of its step. */
const saveMs = 400;

interface Held {
  readonly assigned: AssignedWorker;
  desire: Desire;
  state: 'starting' | 'running' | 'ended';
  end: WorkerEnd;
  exitCode: number;
  step: number;
  checkpoint: number;
  answered: { round: number; accepted: boolean } | null;
}

/**
 * One node's agent and its workers, in a few lines: takes whole assignments, starts, steps, saves and ends workers when
 * the test says so, and reports its whole observed set. It keeps to the protocol, but is slow, forgetful and lossy at will.
 */
export class FakeAgent {
  readonly name: NodeName;
  readonly #path: readonly string[];
  readonly #gpus: readonly GpuInfo[];
  readonly #labels: Readonly<Record<string, string>>;
  readonly #held = new Map<string, Held>();
  readonly #health: GpuHealth[];
  /** Every worker that was ever started here: a key must not come twice. */
  readonly started: string[] = [];
  #epochSeen = 0;
  #generation = 0;
  #sequence = 0;

  constructor(shape: NodeShape) {
    const { name, zone = 'z1', block = 'b1', rack, gpus, model = 'H100', nvlink, slots, labels = {} } = shape;
    this.#labels = labels;
    this.name = nodeName(name);
    this.#path = [zone, block, rack];
    this.#gpus = Array.from({ length: gpus }, (_, index) => ({
      index,
      uuid: `GPU-${name}-${index}`,
      model,
      memoryBytes: 80 * 2 ** 30,
      pciBusId: `0000:${index}`,
      numaNode: 0,
      nvlinkDomain: nvlink === undefined ? Math.floor(index / 2) : (nvlink[index] ?? null),
      ...(slots?.[index]?.length ? { slots: slots[index].map((profile, at) => ({ profile, uuid: `MIG-${name}-${index}-${at}` })) } : {}),
    }));
    this.#health = this.#gpus.map(({ index }) => ({ index, healthy: true, code: '', message: '' }));
  }

  hello(): Hello {
    const inventory = {
      address: `10.0.0.${this.name}`,
      bootId: 'boot',
      agentVersion: 'fake',
      path: this.#path,
      cpuMilli: 64_000,
      memoryBytes: 2 ** 38,
      os: 'linux',
      gpus: this.#gpus,
    };
    return {
      node: this.name,
      protocolVersion,
      agentVersion: 'fake',
      inventory,
      epochSeen: epoch(this.#epochSeen),
      workers: this.#observe(),
      gpuHealth: this.#health,
      labels: this.#labels,
    };
  }

  report(): Report {
    this.#sequence += 1;
    return {
      sequence: this.#sequence,
      generation: generation(this.#generation),
      workers: this.#observe(),
      gpuHealth: this.#health,
      samples: [],
    };
  }

  take(assignment: Assignment): void {
    if (assignment.epoch < this.#epochSeen || (assignment.epoch === this.#epochSeen && assignment.generation < this.#generation)) return;
    this.#epochSeen = assignment.epoch;
    this.#generation = assignment.generation;
    const named = new Set<string>();
    for (const assigned of assignment.workers) {
      const key = workerKey(assigned.id);
      named.add(key);
      const held = this.#held.get(key);
      if (held === undefined) this.#start(key, assigned);
      else held.desire = assigned.desire;
      // Asked no more: an answer of then is none to a later ask.
      if (held !== undefined && assigned.desire.kind === 'run') held.answered = null;
    }
    for (const key of this.#held.keys()) if (!named.has(key)) this.#held.delete(key);
  }

  #start(key: string, assigned: AssignedWorker): void {
    const resumed = assigned.launch.checkpoint?.resume?.step ?? 0;
    const runs = assigned.desire.kind === 'run';
    if (runs) this.started.push(key);
    this.#held.set(key, {
      assigned,
      desire: assigned.desire,
      state: runs ? 'starting' : 'ended',
      end: 'killed',
      exitCode: 0,
      step: resumed,
      checkpoint: resumed,
      answered: null,
    });
  }

  /** Workers that run, by the attempt that they belong to. */
  running(): readonly { readonly attempt: string; readonly key: string; readonly world: number }[] {
    return [...this.#held].flatMap(([key, held]) => {
      const { id, launch } = held.assigned;
      return held.state === 'running' ? [{ attempt: `${id.job}/${id.attempt}`, key, world: launch.workers }] : [];
    });
  }

  /** Time passes for everything but training steps. */
  settle(): void {
    for (const held of this.#held.values()) {
      if (held.state === 'starting') held.state = 'running';
      if (held.state === 'ended') continue;
      if (held.desire.kind === 'stop') this.#end(held, 'killed', 143);
      else if (held.desire.kind === 'suspend') this.#suspend(held, held.desire);
    }
  }

  #suspend(held: Held, desire: Extract<Desire, { kind: 'suspend' }>): void {
    if (desire.stage.kind === 'ask') held.answered = { round: desire.round, accepted: true };
    else if (desire.stage.kind === 'propose') held.answered = { round: desire.round, accepted: held.step < desire.stage.stopStep };
    else if (held.step >= desire.stage.stopStep) {
      held.checkpoint = held.step;
      this.#end(held, 'exited', 0);
    }
  }

  /** Whether the worker waits in its progress call for a stop step to be decided. */
  isHeld(key: string): boolean {
    const held = this.#held.get(key);
    const desire = held?.desire;
    return held !== undefined && desire?.kind === 'suspend' && desire.stage.kind !== 'ask' && held.step >= desire.stage.stopStep;
  }

  /** One training step. */
  step(key: string, options: { readonly total: number; readonly saveEvery: number }): void {
    const held = this.#held.get(key);
    if (held === undefined || held.state !== 'running') return;
    held.step += 1;
    if (held.step % options.saveEvery === 0) held.checkpoint = held.step;
    if (held.step >= options.total) this.#end(held, 'exited', 0);
  }

  crashOne(key: string, exitCode: number): void {
    const held = this.#held.get(key);
    if (held !== undefined && held.state !== 'ended') this.#end(held, 'exited', exitCode);
  }

  setHealth(gpu: number, healthy: boolean): void {
    this.#health[gpu] = { index: gpu, healthy, code: healthy ? '' : 'xid:79', message: healthy ? '' : 'fell off the bus' };
  }

  /** The machine lost power: nothing of it is left but its name. */
  powerOff(): void {
    this.#held.clear();
    this.#generation = 0;
  }

  #end(held: Held, end: WorkerEnd, exitCode: number): void {
    held.state = 'ended';
    held.end = end;
    held.exitCode = exitCode;
  }

  #observe(): ObservedWorker[] {
    return [...this.#held.values()].map((held) => {
      const rank = held.assigned.launch.firstRank;
      const isEnded = held.state === 'ended';
      return {
        id: held.assigned.id,
        state: isEnded
          ? { kind: 'ended' as const, reason: held.end, message: '' }
          : { kind: held.state === 'running' ? ('running' as const) : ('starting' as const) },
        ranks: [
          {
            rank,
            state: isEnded ? { kind: 'ended' as const, exitCode: held.exitCode, signal: null } : { kind: 'running' as const, pid: 1 },
            progress: held.step === 0 ? null : { step: held.step, loss: 1 / held.step, tokens: held.step * 100, stepSeconds: 1 },
            checkpoint:
              held.checkpoint === 0
                ? null
                : { step: held.checkpoint, path: `/ckpt/${held.checkpoint}`, scope: 'rank' as const, tookMs: saveMs },
            suspendAware: true,
            suspendAnswer: held.answered,
          },
        ],
      };
    });
  }
}
