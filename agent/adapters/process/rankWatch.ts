import { type WorkerId, workerKey } from '#vocabulary/job.ts';
import type { FoundRank, RankEnd } from '#agent/ports/runtime.ts';
import { type LogLimits, logFile } from './logFiles.ts';
import { rotateLog } from './rotateLog.ts';
import type { ExitStatus } from './workerFiles.ts';

/** Half of it is the mean delay of an adopted rank's end; the port promises 500 ms. */
const adoptedPollMs = 200;
const rotationPollMs = 1000;

interface WatchedRank {
  readonly id: WorkerId;
  readonly rank: number;
  /** Of an earlier agent: no exit event will come. */
  readonly isAdopted: boolean;
}

/** Living ranks: tells each one's end once, and keeps their logs small. */
export class RankWatch {
  readonly #root: string;
  readonly #logLimits: LogLimits;
  readonly #look: (id: WorkerId, rank: number) => Promise<FoundRank>;
  readonly #notice: (message: string) => void;
  readonly #watched = new Map<string, WatchedRank>();
  /** Whoever looked while the rank ended may ask to watch it after its end was told. */
  readonly #told = new Set<string>();
  readonly #listeners: ((end: RankEnd) => void)[] = [];
  readonly #timers: NodeJS.Timeout[];
  #isPolling = false;
  #isRotating = false;
  #isClosed = false;

  constructor(options: {
    readonly root: string;
    readonly logLimits: LogLimits;
    readonly look: (id: WorkerId, rank: number) => Promise<FoundRank>;
    readonly notice: (message: string) => void;
  }) {
    this.#root = options.root;
    this.#logLimits = options.logLimits;
    this.#look = options.look;
    this.#notice = options.notice;
    this.#timers = [setInterval(() => void this.#pollAdopted(), adoptedPollMs), setInterval(() => void this.#rotateLogs(), rotationPollMs)];
    for (const timer of this.#timers) timer.unref();
  }

  addListener(listener: (end: RankEnd) => void): void {
    this.#listeners.push(listener);
  }

  /** A child of this process: `ended` comes by itself. `look` then says how, the launcher's own status is second best. */
  watchChild(id: WorkerId, rank: number, ended: Promise<ExitStatus>): void {
    this.#watched.set(rankKey(id, rank), { id, rank, isAdopted: false });
    void ended
      .then((status) => this.#endChild(id, rank, status))
      .catch((error: unknown) => this.#notice(`the end of ${rankKey(id, rank)}: ${String(error)}`));
  }

  watchAdopted(id: WorkerId, rank: number): void {
    const key = rankKey(id, rank);
    if (!this.#watched.has(key) && !this.#told.has(key)) this.#watched.set(key, { id, rank, isAdopted: true });
  }

  forgetWorker(id: WorkerId): void {
    const prefix = rankPrefix(id);
    for (const key of this.#watched.keys()) if (key.startsWith(prefix)) this.#watched.delete(key);
    for (const key of this.#told) if (key.startsWith(prefix)) this.#told.delete(key);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#watched.clear();
  }

  async #endChild(id: WorkerId, rank: number, status: ExitStatus): Promise<void> {
    const found = await this.#look(id, rank);
    const isTold = found.kind === 'ended' && (found.exitCode !== null || found.signal !== null);
    this.#tellEnd({ id, rank, ...(isTold ? { exitCode: found.exitCode, signal: found.signal } : status) });
  }

  async #pollAdopted(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      for (const { id, rank, isAdopted } of [...this.#watched.values()]) {
        if (!isAdopted) continue;
        const found = await this.#look(id, rank);
        if (found.kind === 'ended') this.#tellEnd({ id, rank, exitCode: found.exitCode, signal: found.signal });
      }
    } catch (error) {
      this.#notice(`adopted ranks cannot be looked at: ${String(error)}`);
    } finally {
      this.#isPolling = false;
    }
  }

  async #rotateLogs(): Promise<void> {
    if (this.#isRotating) return;
    this.#isRotating = true;
    try {
      for (const { id, rank } of [...this.#watched.values()]) {
        for (const stream of ['stdout', 'stderr'] as const) await rotateLog(logFile(this.#root, id, rank, stream), this.#logLimits);
      }
    } catch (error) {
      this.#notice(`logs cannot be rotated: ${String(error)}`);
    } finally {
      this.#isRotating = false;
    }
  }

  #tellEnd(end: RankEnd): void {
    const key = rankKey(end.id, end.rank);
    if (this.#isClosed || !this.#watched.delete(key) || this.#told.has(key)) return;
    this.#told.add(key);
    for (const listener of this.#listeners) listener(end);
  }
}

const rankPrefix = (id: WorkerId): string => `${workerKey(id)} rank `;
const rankKey = (id: WorkerId, rank: number): string => `${rankPrefix(id)}${rank}`;
