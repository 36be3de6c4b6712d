import { Worker } from 'node:worker_threads';
import { assert } from '#vocabulary/assert.ts';
import { epoch, revision } from '#vocabulary/ids.ts';
import { type AppendBatch, type Snapshot, type Store, StoreError, type StoredLine } from '../../ports/store.ts';
import type { StoreAnswer, StoreCall, StoreReply, StoreRequest, StoreWorkerData } from './storeMessages.ts';

export interface SqliteStoreOptions {
  /** Made with mode 0700 when it is not there; the store is `store.db` in it. */
  readonly folder: string;
  /** The database file never grows beyond this: appends then throw `full`. Without it the disk is the bound. */
  readonly maxBytes?: number;
  /** Gives up the opening. The store that came of it is closed by `close()`. */
  readonly signal?: AbortSignal;
}

/**
 * The embedded store: SQLite in write-ahead mode with synchronous FULL, in a thread of its own. Calls are carried out one by one
 * in the order in which they were made. Throws StoreError: `corrupt` for a file that is damaged, foreign or of another version.
 * Have the folder's lease first: the check at opening reads the write-ahead log and wants no writer beside it.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  options.signal?.throwIfAborted();
  const data: StoreWorkerData = { folder: options.folder, maxBytes: options.maxBytes ?? null };
  // Not with the process's own flags: --input-type, for one, is refused by a thread that runs a file.
  const worker = new Worker(new URL('./storeThread.ts', import.meta.url), { workerData: data, name: 'shoal-store', execArgv: [] });
  const thread = new StoreThread(worker);
  const giveUp = (): void => thread.kill('the opening was given up');
  options.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await thread.opened;
    return new SqliteStore(thread);
  } catch (error) {
    await thread.ended;
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
}

class SqliteStore implements Store {
  readonly #thread: StoreThread;

  constructor(thread: StoreThread) {
    this.#thread = thread;
  }

  async append(batch: AppendBatch): Promise<void> {
    assert(batch.lines.length > 0, 'an append has at least one line');
    for (const line of batch.lines) assert(line.isWellFormed(), 'a line is well-formed Unicode, so that it reads back as it was');
    await this.#thread.call({ kind: 'append', after: batch.after, epoch: batch.epoch, lines: batch.lines });
  }

  async read(after: AppendBatch['after'], limit: number): Promise<readonly StoredLine[]> {
    assert(limit >= 1, 'at least one line is asked for');
    const answer = await this.#thread.call({ kind: 'read', after, limit });
    assert(answer.kind === 'lines', 'a read is answered with lines');
    return answer.lines.map((line, index) => ({ revision: revision(answer.first + index), line }));
  }

  async head(): ReturnType<Store['head']> {
    const answer = await this.#thread.call({ kind: 'head' });
    assert(answer.kind === 'head', 'a question for the head is answered with it');
    return { revision: revision(answer.revision), epoch: epoch(answer.epoch) };
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    assert(snapshot.body.isWellFormed(), 'a snapshot is well-formed Unicode, so that it reads back as it was');
    await this.#thread.call({ kind: 'saveSnapshot', revision: snapshot.revision, body: snapshot.body });
  }

  async loadSnapshot(): Promise<Snapshot | null> {
    const answer = await this.#thread.call({ kind: 'loadSnapshot' });
    assert(answer.kind === 'snapshot', 'a question for the snapshot is answered with it');
    return answer.snapshot === null ? null : { revision: revision(answer.snapshot.revision), body: answer.snapshot.body };
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}

interface Waiting {
  readonly resolve: (answer: StoreAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Questions and answers by number. When the thread ends, everything that still waits fails with `unavailable`. */
class StoreThread {
  readonly opened: Promise<StoreAnswer>;
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** Why no call is taken any more; null while the thread runs. */
  #over: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.opened = this.#wait(0);
    this.ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end('its thread ended');
        resolve();
      });
    });
    worker.on('message', (reply: StoreReply) => this.#onReply(reply));
    worker.once('error', (error) => this.#end(`its thread failed: ${error instanceof Error ? error.message : String(error)}`));
  }

  call(call: StoreCall): Promise<StoreAnswer> {
    if (this.#over !== null) return Promise.reject(new StoreError('unavailable', `the store is not open: ${this.#over}`));
    this.#lastId += 1;
    const request: StoreRequest = { id: this.#lastId, call };
    const answer = this.#wait(request.id);
    this.#worker.postMessage(request);
    return answer;
  }

  /** Waits for the calls made before it. Closing twice is one closing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  kill(why: string): void {
    this.#end(why);
    this.#worker.terminate().catch((error: unknown) => this.#end(String(error)));
  }

  async #close(): Promise<void> {
    if (this.#over === null) {
      const closed = this.call({ kind: 'close' });
      this.#over = 'it was closed';
      await closed;
    }
    await this.ended;
  }

  #wait(id: number): Promise<StoreAnswer> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #onReply(reply: StoreReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.answer.kind === 'failed') waiting?.reject(new StoreError(reply.answer.code, reply.answer.message));
    else waiting?.resolve(reply.answer);
  }

  #end(why: string): void {
    this.#over ??= why;
    for (const waiting of this.#waiting.values()) waiting.reject(new StoreError('unavailable', `the store is not open: ${this.#over}`));
    this.#waiting.clear();
  }
}
