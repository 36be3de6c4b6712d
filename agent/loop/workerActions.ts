/**
 * Does what the core decided, through the runtime, and tells the loop what came of it. Actions on one worker are done
 * in order, those of different workers side by side.
 */
import type { Logger } from 'pino';
import { assertNever } from '#vocabulary/assert.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';
import type { Action } from '../core/converge.ts';
import { attemptFolder, environmentOf, resolveLaunch } from '../core/environment.ts';
import type { WorkerRecord } from '../core/nodeState.ts';
import { onRankFate, onTreeSeen, type RankFate } from '../core/onRuntime.ts';
import type { Clock } from '../ports/clock.ts';
import type { Folders } from '../ports/folders.ts';
import type { FoundRank, Runtime } from '../ports/runtime.ts';
import type { WorkloadSockets } from '../ports/workload.ts';
import { describeError, type Background } from './background.ts';
import type { NodeLoop } from './nodeLoop.ts';
import { WorkerQueues } from './workerQueues.ts';

export interface LaunchFacts {
  /** By device index. */
  readonly gpus: ReadonlyMap<number, GpuInfo>;
  /** Absolute. */
  readonly workFolder: string;
  readonly networkInterface: string | null;
  readonly agentEnv: Readonly<Record<string, string | undefined>>;
}

type DeviceUuids = { readonly ok: true; readonly uuids: readonly string[] } | { readonly ok: false; readonly message: string };

export interface ActionParts {
  readonly runtime: Runtime;
  readonly sockets: WorkloadSockets;
  readonly folders: Folders;
  readonly clock: Clock;
  readonly facts: LaunchFacts;
  readonly background: Background;
  readonly log: Logger;
}

/** Between two tries of a signal that the runtime could not send. */
const signalRetryMs = 1000;

export class WorkerActions {
  readonly #parts: ActionParts;
  readonly #loop: NodeLoop;
  readonly #queues = new WorkerQueues();

  constructor(parts: ActionParts, loop: NodeLoop) {
    this.#parts = parts;
    this.#loop = loop;
  }

  perform(action: Action): void {
    const { background, log } = this.#parts;
    switch (action.kind) {
      case 'admit':
        log.info(
          { worker: workerKey(action.worker.id), gpus: action.worker.gpus, refused: action.end?.message ?? null },
          'worker admitted',
        );
        return;
      case 'suspend':
        log.info({ worker: workerKey(action.id), round: action.suspend.round, stage: action.suspend.stage }, 'worker asked to suspend');
        return;
      case 'unsuspend':
        log.info({ worker: workerKey(action.id) }, 'suspension taken back');
        return;
      case 'start':
        return background.spawn('start', () => this.#enqueue(action.id, () => this.#start(action.id, action.ranks)));
      case 'terminate':
        return background.spawn('terminate', () => this.#enqueue(action.id, () => this.#signal(action.id, 'SIGTERM')));
      case 'kill':
        return background.spawn('kill', () => this.#enqueue(action.id, () => this.#signal(action.id, 'SIGKILL')));
      case 'confirm':
        return background.spawn('confirm', () => this.#enqueue(action.id, () => this.#confirm(action.id, action.tries)));
      case 'forget':
        return background.spawn('forget', () => this.#enqueue(action.id, () => this.#forget(action.id)));
      default:
        return assertNever(action);
    }
  }

  /** When nothing that was begun is under way any more. */
  async idle(): Promise<void> {
    await this.#queues.idle();
  }

  /** Finds what an earlier agent left: living ranks are taken over, dead ones tell their end. */
  async adopt(worker: WorkerRecord): Promise<void> {
    await this.#parts.sockets.open(worker.id);
    for (const { rank, life } of worker.ranks) {
      if (life.kind !== 'running' && life.kind !== 'pending') continue;
      const fate = fateOf(await this.#parts.runtime.findRank(worker.id, rank));
      this.#parts.log.info({ worker: workerKey(worker.id), rank, found: fate.kind }, 'looked for a rank of an earlier agent');
      this.#loop.change((state) => onRankFate(state, worker.id, rank, fate));
    }
  }

  async #enqueue(id: WorkerId, work: () => Promise<void>): Promise<void> {
    await this.#queues.run(workerKey(id), work);
  }

  async #start(id: WorkerId, ranks: readonly number[]): Promise<void> {
    const worker = this.#loop.state().workers.get(workerKey(id));
    if (worker === undefined) return;
    const problem = await this.#prepare(worker);
    await Promise.all(
      ranks.map(async (rank) => {
        const fate: RankFate = problem === null ? await this.#startRank(worker, rank) : { kind: 'failed', message: problem };
        this.#parts.log.info({ worker: workerKey(id), rank, fate }, 'rank launched');
        this.#loop.change((state) => onRankFate(state, id, rank, fate));
      }),
    );
  }

  /** What every rank of the worker needs; answers why it cannot be had. */
  async #prepare(worker: WorkerRecord): Promise<string | null> {
    const launch = resolveLaunch(worker.launch, this.#parts.facts.workFolder);
    const folder = attemptFolder(worker.id, launch);
    try {
      await this.#parts.sockets.open(worker.id);
      return folder === null ? null : await this.#parts.folders.makeWritable(folder);
    } catch (error) {
      return `its workload socket cannot be opened: ${describeError(error)}`;
    }
  }

  async #startRank(worker: WorkerRecord, rank: number): Promise<RankFate> {
    const { runtime, facts, sockets } = this.#parts;
    const { id } = worker;
    const launch = resolveLaunch(worker.launch, facts.workFolder);
    const found = this.#deviceUuids(worker);
    if (!found.ok) return { kind: 'failed', message: found.message };
    const env = environmentOf({ ...facts, id, rank, launch, gpuUuids: found.uuids, socketPath: sockets.pathOf(id) });
    try {
      const result = await runtime.startRank({ id, rank, launch, env });
      if (result.kind === 'started') return { kind: 'alive', pid: result.process.pid };
      if (result.kind === 'failed') return result;
      return fateOf(await runtime.findRank(id, rank));
    } catch (error) {
      return { kind: 'failed', message: describeError(error) };
    }
  }

  /** What its ranks see. */
  #deviceUuids({ gpus, launch }: WorkerRecord): DeviceUuids {
    const { facts } = this.#parts;
    const missing = gpus.find((gpu) => !facts.gpus.has(gpu));
    if (missing !== undefined) return { ok: false, message: `this node has no GPU ${missing}` };
    const slot = launch.gpuSlot?.uuid;
    if (slot === undefined) return { ok: true, uuids: gpus.flatMap((gpu) => facts.gpus.get(gpu)?.uuid ?? []) };
    if (gpus.some((gpu) => facts.gpus.get(gpu)?.slots?.some(({ uuid }) => uuid === slot) === true)) return { ok: true, uuids: [slot] };
    return { ok: false, message: `this node has no slot ${slot} of GPU ${gpus.join(',')}` };
  }

  /** A signal must arrive: what follows in the worker's queue waits until it could be sent. */
  async #signal(id: WorkerId, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#parts.log.info({ worker: workerKey(id), signal }, 'worker signalled');
    for (;;) {
      try {
        return await this.#parts.runtime.signalWorker(id, signal);
      } catch (error) {
        this.#parts.log.error({ worker: workerKey(id), signal, error: describeError(error) }, 'a signal could not be sent');
        await this.#sleep(signalRetryMs);
      }
    }
  }

  async #confirm(id: WorkerId, tries: number): Promise<void> {
    const { runtime, clock, log } = this.#parts;
    let alive = true;
    try {
      if (tries > 0) await runtime.signalWorker(id, 'SIGKILL');
      alive = await runtime.isWorkerAlive(id);
    } catch (error) {
      log.error({ worker: workerKey(id), error: describeError(error) }, 'the end of a worker cannot be confirmed');
    }
    this.#loop.change((state) => onTreeSeen(state, id, { alive, nowMs: clock.nowMs() }));
    const end = this.#loop.state().workers.get(workerKey(id))?.end;
    if (end?.kind === 'ended') log.info({ worker: workerKey(id), reason: end.reason, end: end.message }, 'worker ended');
  }

  async #forget(id: WorkerId): Promise<void> {
    await this.#parts.sockets.close(id);
    await this.#parts.runtime.forgetWorker(id);
  }

  async #sleep(ms: number): Promise<void> {
    const { clock } = this.#parts;
    await new Promise<void>((resolve) => clock.wakeAt(clock.nowMs() + ms, resolve));
  }
}

function fateOf(found: FoundRank): RankFate {
  return found.kind === 'alive' ? { kind: 'alive', pid: found.process.pid } : found;
}
