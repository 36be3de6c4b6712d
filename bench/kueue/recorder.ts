export interface Workload {
  readonly uid: string;
  readonly of: string;
  readonly gpus: number;
  readonly createdMs: number;
}

export interface Recorded {
  readonly classes: ReadonlyMap<string, ClassRecord>;
  /** Of the nominal quota, on average over the whole run. */
  readonly usagePct: number;
}

export interface ClassRecord {
  readonly finished: number;
  readonly evictions: number;
  /** From creation to the last admission, as Kueue's runner counts: who was evicted waits on. */
  readonly meanAdmissionMs: number;
  readonly maxAdmissionMs: number;
}

/** Counts as Kueue's test/performance/scheduler/runner/recorder does. */
export class Recorder {
  /** When those that run were admitted. */
  readonly #running = new Map<string, number>();
  readonly #classes = new Map<string, { finished: number; evictions: number; sumMs: number; maxMs: number }>();
  #gpuMs = 0;

  admitted({ uid }: Workload, atMs: number): void {
    this.#running.set(uid, atMs);
  }

  evicted(workload: Workload, atMs: number): void {
    this.#left(workload, atMs);
    this.#of(workload).evictions += 1;
  }

  finished(workload: Workload, atMs: number): void {
    const waitedMs = this.#left(workload, atMs) - workload.createdMs;
    const record = this.#of(workload);
    record.finished += 1;
    record.sumMs += waitedMs;
    record.maxMs = Math.max(record.maxMs, waitedMs);
  }

  end(nominalGpus: number, makespanMs: number): Recorded {
    const classes = [...this.#classes].map(([name, { finished, evictions, sumMs, maxMs }]): [string, ClassRecord] => [
      name,
      { finished, evictions, meanAdmissionMs: sumMs / finished, maxAdmissionMs: maxMs },
    ]);
    return { classes: new Map(classes), usagePct: (100 * this.#gpuMs) / (nominalGpus * makespanMs) };
  }

  /** When it had been admitted. */
  #left({ uid, gpus }: Workload, atMs: number): number {
    const admittedMs = this.#running.get(uid);
    if (admittedMs === undefined) throw new Error(`${uid} was not admitted`);
    this.#running.delete(uid);
    this.#gpuMs += gpus * (atMs - admittedMs);
    return admittedMs;
  }

  #of({ of }: Workload): { finished: number; evictions: number; sumMs: number; maxMs: number } {
    const known = this.#classes.get(of);
    if (known !== undefined) return known;
    const fresh = { finished: 0, evictions: 0, sumMs: 0, maxMs: 0 };
    this.#classes.set(of, fresh);
    return fresh;
  }
}
