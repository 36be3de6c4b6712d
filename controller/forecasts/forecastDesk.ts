import { Worker } from 'node:worker_threads';
import { assertNever } from '#vocabulary/assert.ts';
import type { Policy } from '#core/context.ts';
import type { Revision } from '#vocabulary/ids.ts';
import type { Loop } from '../loop/loop.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Answer, FromThread, Moment, Question, ToThread } from './questions.ts';

/** More is asked than is answered at a time. */
export class ForecastsBusy extends Error {
  constructor(max: number) {
    super(`${max} plans and forecasts are being made, which is as many as there may be; ask again in a moment`);
    this.name = 'ForecastsBusy';
  }
}

export interface ForecastDeskOptions {
  readonly loop: Loop;
  /** The loop's: the thread's state is read back from it, page by page, so that the leader has no copy to make. */
  readonly store: Pick<Store, 'loadSnapshot' | 'read'>;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly telemetry: Telemetry;
  /** Questions at a time. */
  readonly asksMax: number;
  /** The thread ends when nobody has asked for so long. */
  readonly idleMs: number;
}

export interface Answered {
  readonly answer: Answer;
  /** Of the state that it is about. */
  readonly revision: Revision;
  readonly nowMs: number;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Where questions about what would be are asked. They are answered in a thread of its own, on a state that follows the log:
 * the leader decides on while others plan. The thread begins with the first question.
 */
export class ForecastDesk {
  readonly #options: ForecastDeskOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #lastId = 0;
  #usedAtMs = 0;

  constructor(options: ForecastDeskOptions, signal: AbortSignal) {
    this.#options = options;
    options.clock.every(options.idleMs, () => this.#endIfIdle(), signal);
    signal.addEventListener('abort', () => this.#end(new Error('the controller is stopping')), { once: true });
  }

  /** About the cluster as it is when this is called, or later. Rejects with ForecastsBusy; and when the loop does not answer. */
  async ask(question: Question): Promise<Answered> {
    const { asksMax, clock, loop } = this.#options;
    if (this.#waiting.size >= asksMax) throw new ForecastsBusy(asksMax);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Answer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // The thread may fail before anybody waits for the answer.
    answer.catch(() => undefined);
    try {
      const moment = await loop.read(
        (state): Moment => ({ revision: state.revision, movesFromMs: state.movesFromMs, nowMs: Math.max(clock.nowMs(), state.atMs) }),
      );
      this.#usedAtMs = clock.monotonicMs();
      this.#send({ kind: 'ask', id, question, moment });
      return { answer: await answer, revision: moment.revision, nowMs: moment.nowMs };
    } finally {
      this.#waiting.delete(id);
    }
  }

  #send(message: ToThread): void {
    this.#worker ??= this.#open();
    this.#worker.postMessage(message);
  }

  #open(): Worker {
    const worker = new Worker(new URL('./forecastThread.ts', import.meta.url), { name: 'shoal-forecasts', execArgv: [] });
    worker.on('message', (message: FromThread) => this.#onMessage(worker, message));
    worker.once('error', (error) => {
      this.#options.telemetry.error({ err: error }, 'the thread for forecasts failed');
      if (this.#worker === worker) this.#end(new Error('the thread for forecasts failed; ask again'));
    });
    worker.unref();
    const begin: ToThread = { kind: 'begin', policy: this.#options.policy };
    worker.postMessage(begin);
    return worker;
  }

  #onMessage(worker: Worker, message: FromThread): void {
    switch (message.kind) {
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.answer);
        return;
      case 'failed':
        this.#waiting.get(message.id)?.reject(new Error(message.message));
        return;
      case 'wantSnapshot':
        this.#give(worker, async () => ({ kind: 'snapshot', body: (await this.#options.store.loadSnapshot())?.body ?? null }));
        return;
      case 'wantLines':
        this.#give(worker, async () => {
          const lines = await this.#options.store.read(message.after, pageLines);
          return { kind: 'lines', lines: lines.map(({ line }) => line) };
        });
        return;
      default:
        assertNever(message);
    }
  }

  #give(worker: Worker, read: () => Promise<ToThread>): void {
    read().then(
      (message) => worker.postMessage(message),
      (error: unknown) => worker.postMessage({ kind: 'unreadable', message: error instanceof Error ? error.message : String(error) }),
    );
  }

  #endIfIdle(): void {
    const { clock, idleMs } = this.#options;
    if (this.#waiting.size === 0 && clock.monotonicMs() - this.#usedAtMs >= idleMs) this.#end(new Error('nobody asks'));
  }

  #end(why: Error): void {
    const worker = this.#worker;
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(why);
    worker?.terminate().catch((error: unknown) => this.#options.telemetry.warn({ err: error }, 'the thread for forecasts did not end'));
  }
}

/** Few, since the store writes for the leader between two of them. */
const pageLines = 1_000;
