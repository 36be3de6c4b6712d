import { assert } from '#vocabulary/assert.ts';
import { epoch, type Epoch, type Revision, revision } from '#vocabulary/ids.ts';
import { type AppendBatch, type Snapshot, type Store, StoreError, type StoredLine } from '../../ports/store.ts';

/** Changed in place, by one store call at a time: a simulated run appends millions of lines. */
interface Contents {
  /** Lines up to this revision were dropped; `lines[0]` is the next one. */
  droppedUpTo: number;
  lines: string[];
  epoch: number;
  /** Newest first, at most two. */
  snapshots: readonly Snapshot[];
}

/**
 * What survives a crash of a memory store, with the faults to come. Faults apply to writes (append, saveSnapshot), in order.
 * Nothing here waits on a clock: a held write goes on when the test says so.
 */
export class MemoryDisk {
  readonly contents: Contents = { droppedUpTo: 0, lines: [], epoch: 0, snapshots: [] };
  /** Stores opened before the last crash are dead. */
  #boot = 0;
  #faults: ('full' | 'unavailable')[] = [];
  #gate: PromiseWithResolvers<void> | null = null;

  get boot(): number {
    return this.#boot;
  }

  /** The next write fails with this and changes nothing; called twice, the next two do. */
  failNext(code: 'full' | 'unavailable'): void {
    this.#faults.push(code);
  }

  /** Writes wait, unacknowledged and without effect, until the returned function is called. */
  hold(): () => void {
    const gate = (this.#gate ??= Promise.withResolvers<void>());
    return () => {
      if (this.#gate === gate) this.#gate = null;
      gate.resolve();
    };
  }

  /** As `kill -9` of the process: writes under way fail without effect, and only a new `openMemoryStore` works. */
  crash(): void {
    this.#boot += 1;
    this.#gate?.resolve();
    this.#gate = null;
    this.#faults = [];
  }

  /** Resolves when a write may look at the contents. */
  async ready(): Promise<void> {
    await this.#gate?.promise;
  }

  takeFault(): 'full' | 'unavailable' | null {
    return this.#faults.shift() ?? null;
  }
}

/** A second adapter, for tests and for the simulator: it passes the same suite as the real one. */
export function openMemoryStore(disk: MemoryDisk): Promise<Store> {
  return Promise.resolve(new MemoryStore(disk));
}

class MemoryStore implements Store {
  readonly #disk: MemoryDisk;
  readonly #boot: number;
  /** Calls are carried out one by one, in the order in which they were made. */
  #last: Promise<unknown> = Promise.resolve();
  #open = true;

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.#boot = disk.boot;
  }

  append(batch: AppendBatch): Promise<void> {
    return this.#write(() => {
      assert(batch.lines.length > 0, 'an append has at least one line');
      for (const line of batch.lines) assert(line.isWellFormed(), 'a line is well-formed Unicode, so that it reads back as it was');
      const { contents } = this.#disk;
      if (batch.epoch < contents.epoch) {
        throw new StoreError('conflict', `epoch ${batch.epoch} is over: the log already has lines of epoch ${contents.epoch}`);
      }
      if (batch.after !== lastRevision(contents)) {
        throw new StoreError('conflict', `the last line is ${lastRevision(contents)}, not ${batch.after}: another leader writes this log`);
      }
      for (const line of batch.lines) contents.lines.push(line);
      contents.epoch = batch.epoch;
    });
  }

  read(after: Revision, limit: number): Promise<readonly StoredLine[]> {
    return this.#inOrder(() => {
      assert(limit >= 1, 'at least one line is asked for');
      const { droppedUpTo, lines } = this.#disk.contents;
      if (after < droppedUpTo) throw new StoreError('corrupt', `line ${after + 1} was asked for, and is only in the snapshots`);
      const from = after - droppedUpTo;
      return lines.slice(from, from + limit).map((line, index) => ({ revision: revision(after + 1 + index), line }));
    });
  }

  head(): Promise<{ readonly revision: Revision; readonly epoch: Epoch }> {
    return this.#inOrder(() => ({ revision: revision(lastRevision(this.#disk.contents)), epoch: epoch(this.#disk.contents.epoch) }));
  }

  saveSnapshot(snapshot: Snapshot): Promise<void> {
    return this.#write(() => {
      const { contents } = this.#disk;
      const last = lastRevision(contents);
      if (snapshot.revision > last) {
        throw new StoreError('conflict', `a snapshot of revision ${snapshot.revision} cannot be kept: the last line is ${last}`);
      }
      const others = contents.snapshots.filter((kept) => kept.revision !== snapshot.revision);
      contents.snapshots = [...others, snapshot].toSorted((left, right) => right.revision - left.revision).slice(0, 2);
      const droppedUpTo = contents.snapshots[1]?.revision ?? 0;
      contents.lines = contents.lines.slice(droppedUpTo - contents.droppedUpTo);
      contents.droppedUpTo = droppedUpTo;
    });
  }

  loadSnapshot(): Promise<Snapshot | null> {
    return this.#inOrder(() => this.#disk.contents.snapshots[0] ?? null);
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#last;
  }

  #write(change: () => void): Promise<void> {
    return this.#inOrder(async () => {
      await this.#disk.ready();
      this.#assertAlive();
      const fault = this.#disk.takeFault();
      if (fault !== null) throw new StoreError(fault, `the memory store was told to be ${fault}`);
      change();
    });
  }

  async #inOrder<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    if (!this.#open) throw new StoreError('unavailable', 'the store is not open: it was closed');
    const result = this.#last.then(() => {
      this.#assertAlive();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  #assertAlive(): void {
    if (this.#boot !== this.#disk.boot) throw new StoreError('unavailable', 'the store is not open: the process was killed');
  }
}

function lastRevision(contents: Contents): number {
  return contents.droppedUpTo + contents.lines.length;
}
