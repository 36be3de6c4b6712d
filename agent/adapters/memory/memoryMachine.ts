import { assert } from '#vocabulary/assert.ts';
import { type WorkerId, workerKey } from '#vocabulary/job.ts';
import type { FoundRank, ProcessIdentity, RankEnd, RankStart, Runtime, StartResult } from '#agent/ports/runtime.ts';

/**
 * A machine without processes: a rank runs until a test ends it. The machine is shared by the runtimes of one agent
 * after another, as a real one is. Deterministic: pids count up, and an end is told in the next microtask.
 */
export interface MemoryMachine {
  /** The runtime of a new agent. */
  open(): MemoryRuntime;
  /** The rank ends by itself; no error when it does not run. */
  endRank(id: WorkerId, rank: number, status: { readonly exitCode: number | null; readonly signal: string | null }): void;
  /** Starts that were made, oldest first. */
  readonly starts: readonly RankStart[];
  /** Every SIGTERM and SIGKILL that was sent, oldest first. */
  readonly signals: readonly { readonly id: WorkerId; readonly signal: 'SIGTERM' | 'SIGKILL' }[];
}

export interface MemoryRuntime extends Runtime {
  /** The agent dies: this runtime tells no more ends; the ranks live on. */
  close(): void;
}

export interface MemoryMachineOptions {
  /** Why this start fails; null: it does not. Default: none fails. */
  readonly judgeStart?: (start: RankStart) => string | null;
  /** Default: every rank ends on SIGTERM, at once. */
  readonly ignoresTerm?: (start: RankStart) => boolean;
}

interface MemoryRank {
  readonly start: RankStart;
  readonly process: ProcessIdentity;
  end: RankEnd | null;
  /** Who hears of the end: the runtime that started it or found it last. */
  watcher: MemoryWatcher | null;
}

interface MemoryWatcher {
  readonly listeners: ((end: RankEnd) => void)[];
  isOpen: boolean;
}

const bootId = 'memory-boot';
const rankKey = (id: WorkerId, rank: number): string => `${workerKey(id)} rank ${rank}`;

export function createMemoryMachine(options: MemoryMachineOptions = {}): MemoryMachine {
  return new Machine(options);
}

class Machine implements MemoryMachine {
  readonly #options: MemoryMachineOptions;
  readonly #ranks = new Map<string, MemoryRank>();
  readonly #starts: RankStart[] = [];
  readonly #signals: { readonly id: WorkerId; readonly signal: 'SIGTERM' | 'SIGKILL' }[] = [];
  #nextPid = 1000;

  constructor(options: MemoryMachineOptions) {
    this.#options = options;
  }

  get starts(): readonly RankStart[] {
    return this.#starts;
  }

  get signals(): readonly { readonly id: WorkerId; readonly signal: 'SIGTERM' | 'SIGKILL' }[] {
    return this.#signals;
  }

  open(): MemoryRuntime {
    const watcher: MemoryWatcher = { listeners: [], isOpen: true };
    return {
      startRank: (start) => Promise.resolve(this.#startRank(start, watcher)),
      findRank: (id, rank) => Promise.resolve(this.#findRank(id, rank, watcher)),
      signalWorker: (id, signal) => Promise.resolve(this.#signalWorker(id, signal)),
      isWorkerAlive: (id) => Promise.resolve(this.#livingRanks(id).length > 0),
      forgetWorker: async (id) => this.#forgetWorker(id),
      onRankEnd: (listener) => void watcher.listeners.push(listener),
      close: () => {
        watcher.isOpen = false;
      },
    };
  }

  endRank(id: WorkerId, rank: number, status: { readonly exitCode: number | null; readonly signal: string | null }): void {
    const entry = this.#ranks.get(rankKey(id, rank));
    if (entry === undefined || entry.end !== null) return;
    const end: RankEnd = { id, rank, ...status };
    entry.end = end;
    const { watcher } = entry;
    queueMicrotask(() => {
      if (watcher?.isOpen) for (const listener of watcher.listeners) listener(end);
    });
  }

  #startRank(start: RankStart, watcher: MemoryWatcher): StartResult {
    const trouble = this.#options.judgeStart?.(start) ?? null;
    if (trouble !== null) return { kind: 'failed', message: trouble };
    const key = rankKey(start.id, start.rank);
    if (this.#ranks.has(key)) return { kind: 'already-started' };
    const pid = this.#nextPid;
    this.#nextPid += 1;
    const process: ProcessIdentity = { pid, startTime: pid, bootId };
    this.#ranks.set(key, { start, process, end: null, watcher });
    this.#starts.push(start);
    return { kind: 'started', process };
  }

  #findRank(id: WorkerId, rank: number, watcher: MemoryWatcher): FoundRank {
    const entry = this.#ranks.get(rankKey(id, rank));
    if (entry === undefined) return { kind: 'never-started' };
    if (entry.end !== null) return { kind: 'ended', exitCode: entry.end.exitCode, signal: entry.end.signal };
    entry.watcher = watcher;
    return { kind: 'alive', process: entry.process };
  }

  #signalWorker(id: WorkerId, signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#signals.push({ id, signal });
    for (const { start } of this.#livingRanks(id)) {
      if (signal === 'SIGTERM' && this.#options.ignoresTerm?.(start)) continue;
      this.endRank(id, start.rank, { exitCode: null, signal });
    }
  }

  #forgetWorker(id: WorkerId): void {
    assert(this.#livingRanks(id).length === 0, `worker ${workerKey(id)} has ended before it is forgotten`);
    for (const [key, entry] of this.#ranks) if (workerKey(entry.start.id) === workerKey(id)) this.#ranks.delete(key);
  }

  #livingRanks(id: WorkerId): readonly MemoryRank[] {
    return [...this.#ranks.values()].filter((entry) => entry.end === null && workerKey(entry.start.id) === workerKey(id));
  }
}
