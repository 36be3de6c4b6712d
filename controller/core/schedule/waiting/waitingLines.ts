import type { JobUid, QueueName } from '#vocabulary/ids.ts';
import type { JobView, StateView } from '../../state/view.ts';
import { kinKey } from './kin.ts';
import type { Kin, Rank } from './rank.ts';
import { Ranks } from './rank.ts';

/**
 * The jobs that wait, sorted as a pass looks at them: by queue, rank (priority, then level of attained service), user and
 * kin. Kept from pass to pass: only jobs that changed since are sorted again. It follows from the state alone and goes with
 * it, so it is neither in the log nor in a snapshot.
 */
export interface WaitingLines {
  readonly queues: Iterable<QueueName>;
  /** Of a queue, the first one first. */
  ranksOf(queue: QueueName): readonly Rank[];
  /** Those that were promised a place that others leave. */
  readonly nominated: ReadonlySet<JobUid>;
  /** Those for which a place is kept as it empties. */
  readonly targeted: ReadonlySet<JobUid>;
  /** The first of each kin, of those who still wait. */
  firsts(): Iterable<JobView>;
  /** The others of its kin share its reason to wait; undefined: it does not wait, or came after the pass began. */
  kinOf(uid: JobUid): Kin | undefined;
  /** Ends the pass: who came before it and waits on is kin to others now. */
  settle(): void;
}

/** Level by which a waiting job is sorted below its priority. The same function as long as it gives the same answers. */
export type LevelOf = (job: JobView) => number;

interface Kept {
  lines: Lines;
  /** Jobs that changed after this position of State.changedWaiting are not read yet. */
  asOf: number;
  levelOf: LevelOf;
}

const kept = new WeakMap<StateView, Kept>();

export function openLines(state: StateView, levelOf: LevelOf): WaitingLines {
  let known = kept.get(state);
  const changed = known?.levelOf === levelOf ? state.changedWaiting.since(known.asOf) : null;
  if (known === undefined || changed === null) {
    known = { lines: new Lines(state, levelOf), asOf: 0, levelOf };
    kept.set(state, known);
    known.lines.read(state.pending);
  } else known.lines.read(changed);
  known.asOf = state.changedWaiting.end;
  return known.lines;
}

class Lines implements WaitingLines {
  readonly nominated = new Set<JobUid>();
  readonly targeted = new Set<JobUid>();
  readonly #state: StateView;
  readonly #levelOf: LevelOf;
  readonly #queues = new Map<QueueName, Ranks>();
  readonly #kins = new Map<JobUid, Kin>();
  /** Came since the last pass: most of them are placed in this one, so it does not pay to look for their kin. */
  #fresh: JobUid[] = [];

  constructor(state: StateView, levelOf: LevelOf) {
    this.#state = state;
    this.#levelOf = levelOf;
  }

  get queues(): Iterable<QueueName> {
    return this.#queues.keys();
  }

  ranksOf(queue: QueueName): readonly Rank[] {
    return this.#queues.get(queue)?.all ?? [];
  }

  read(changed: readonly JobUid[]): void {
    for (const uid of new Set(changed)) {
      this.#remove(uid);
      const job = this.#state.jobs.get(uid);
      if (job?.phase.kind === 'pending') this.#add(job);
    }
  }

  *firsts(): Iterable<JobView> {
    for (const ranks of this.#queues.values()) {
      for (const { users } of ranks.all) {
        for (const { kins } of users.values()) {
          for (const { jobs } of kins) {
            const first = jobs.find((job) => job.phase.kind === 'pending');
            if (first !== undefined) yield first;
          }
        }
      }
    }
  }

  kinOf(uid: JobUid): Kin | undefined {
    return this.#kins.get(uid);
  }

  settle(): void {
    for (const uid of this.#fresh) {
      const kin = this.#kins.get(uid);
      const [job] = kin?.jobs ?? [];
      const key = job === undefined ? null : kinKey(job);
      if (kin === undefined || job === undefined || key === null) continue;
      const joined = this.#queues.get(kin.queue)?.join(kin, key);
      if (joined !== undefined) this.#kins.set(uid, joined);
    }
    this.#fresh = [];
  }

  #add(job: JobView): void {
    const { queue } = job.spec;
    const ranks = this.#queues.get(queue) ?? new Ranks();
    this.#queues.set(queue, ranks);
    this.#kins.set(job.uid, ranks.add(job, this.#levelOf(job)));
    this.#fresh.push(job.uid);
    if (job.nomination !== null) this.nominated.add(job.uid);
    if (job.target !== null) this.targeted.add(job.uid);
  }

  #remove(uid: JobUid): void {
    const kin = this.#kins.get(uid);
    if (kin === undefined) return;
    const ranks = this.#queues.get(kin.queue);
    ranks?.remove(kin, uid);
    if (ranks?.all.length === 0) this.#queues.delete(kin.queue);
    this.#kins.delete(uid);
    this.nominated.delete(uid);
    this.targeted.delete(uid);
  }
}
