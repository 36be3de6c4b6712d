import { milliOf } from '../jobs/size.ts';
import type { QueueName } from '#vocabulary/ids.ts';
import type { FairOrderInput } from '../queues/fairOrder.ts';
import { FairOrder } from '../queues/fairOrder.ts';
import { capacityMilliOf } from '../queues/share.ts';
import type { Standings } from '../queues/standing.ts';
import type { JobView, StateView } from '../state/view.ts';
import { QueueLine } from './waiting/queueLine.ts';
import type { WaitingLines } from './waiting/waitingLines.ts';

/**
 * In which order waiting jobs are looked at. First those that an operator put first. Then it is one queue's turn after
 * the other (queues/fairOrder.ts), and each time the first of that queue: overdue jobs, the oldest wait first; higher
 * priority; what a fault of the machine stopped; the lower level of attained service (queues/standing.ts); the user who holds least
 * of the queue; age. What a job is given counts at once, so the next turn goes to whoever is behind now.
 *
 * Of jobs that are alike (waiting/kin.ts) those behind one that was refused are not looked at.
 */
export class TurnOrder {
  readonly #models: readonly string[];
  readonly #first: JobView[];
  readonly #lines = new Map<QueueName, QueueLine>();
  readonly #order: FairOrder | null;
  /** Whose turn it was: what its next job wants is told to the others when that is known. */
  #last: QueueName | null = null;

  /** `models`: all that the cluster has. */
  constructor(of: {
    readonly state: StateView;
    readonly lines: WaitingLines;
    readonly models: readonly string[];
    readonly standings: Standings;
  }) {
    const { state, lines, standings } = of;
    this.#models = of.models;
    // Only where there are two to be fair to.
    let made: FairOrderInput | null = null;
    const input = (): FairOrderInput => (made ??= { state, capacityMilli: capacityMilliOf(state), nowMs: standings.nowMs });
    this.#first = putFirst(state);
    const overdue = Map.groupBy(standings.overdueJobs(), (job) => job.spec.queue);
    for (const queue of [...lines.queues]) {
      const line = new QueueLine(input, { queue, ranks: lines.ranksOf(queue), overdue: overdue.get(queue) ?? [] });
      if (line.peek() !== null) this.#lines.set(queue, line);
    }
    // With one queue there is nothing to be fair about.
    this.#order = this.#lines.size < 2 ? null : new FairOrder(input());
    for (const [queue, line] of this.#lines) this.#announce(queue, line);
  }

  /** null: all were looked at. */
  next(): JobView | null {
    const first = this.#first.shift();
    if (first !== undefined) return first;
    this.#goOn();
    const queue = this.#order === null ? this.#lines.keys().next().value : this.#order.next();
    if (queue === undefined || queue === null) return null;
    this.#last = queue;
    return this.#lines.get(queue)?.take() ?? null;
  }

  /** The job was placed, or promised a place. */
  gave(job: JobView, model: string | null): void {
    if (model === null) return;
    const { queue } = job.spec;
    this.#lines.get(queue)?.gave(job.user, model, milliOf(job));
    if (this.#order !== null) this.#order.gave(queue, model, milliOf(job));
  }

  /** The last one was refused, and so are those behind it that are alike. */
  refusedKin(): void {
    if (this.#last !== null) this.#lines.get(this.#last)?.refusedKin();
  }

  #goOn(): void {
    const queue = this.#last;
    const line = queue === null ? undefined : this.#lines.get(queue);
    if (queue === null || line === undefined) return;
    this.#last = null;
    this.#announce(queue, line);
    if (line.peek() === null) this.#lines.delete(queue);
  }

  #announce(queue: QueueName, line: QueueLine): void {
    if (this.#order === null) return;
    const job = line.peek();
    if (job === null) this.#order.close(queue);
    else this.#order.open(queue, modelsOf(job, this.#models), milliOf(job));
  }
}

/** They are the first of all that wait. */
function putFirst({ pending, jobs }: StateView): JobView[] {
  const first: JobView[] = [];
  for (const uid of pending) {
    const job = jobs.get(uid);
    if (job === undefined || job.next === null) break;
    if (job.nomination === null) first.push(job);
  }
  return first;
}

/** What it accepts of what is there. */
export function modelsOf({ spec }: JobView, present: readonly string[]): readonly string[] {
  if (spec.gpusPerWorker === 0) return none;
  return spec.gpuModels.length === 0 ? present : spec.gpuModels;
}

const none: readonly string[] = [];
