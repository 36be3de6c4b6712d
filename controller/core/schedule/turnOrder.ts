import type { QueueName, UserName } from '#vocabulary/ids.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { sizeOf } from '../jobs/size.ts';
import type { FairOrderInput } from '../queues/fairOrder.ts';
import { FairOrder } from '../queues/fairOrder.ts';
import { capacityMilliOf } from '../queues/share.ts';
import type { Standings } from '../queues/standing.ts';
import { UserShares } from '../queues/userShare.ts';
import type { JobView, StateView } from '../state/view.ts';

/**
 * In which order waiting jobs are looked at. First those that an operator put first. Then it is one queue's turn after
 * the other (queues/fairOrder.ts), and each time the first of that queue: overdue jobs, the oldest wait first; higher
 * priority; what a fault of the machine stopped; the lower level of attained service (queues/standing.ts); the user who holds least
 * of the queue; age. What a job is given counts at once, so the next turn goes to whoever is behind now.
 */
export class TurnOrder {
  readonly #models: readonly string[];
  readonly #first: JobView[];
  readonly #lines = new Map<QueueName, Line>();
  #order: FairOrder | null = null;

  /** `waiting` is sorted: put first, priority, age. `models`: all that the cluster has. */
  constructor(state: StateView, waiting: readonly JobView[], models: readonly string[], standings: Standings) {
    this.#models = models;
    // Only where there are two to be fair to.
    let made: FairOrderInput | null = null;
    const input = (): FairOrderInput => (made ??= { state, capacityMilli: capacityMilliOf(state), nowMs: standings.nowMs });
    this.#first = waiting.filter((job) => job.next !== null);
    for (const [queue, jobs] of Map.groupBy(
      waiting.filter((job) => job.next === null),
      (job) => job.spec.queue,
    )) {
      this.#lines.set(queue, new Line(input, queue, inLine(jobs, standings)));
    }
    // With one queue there is nothing to be fair about.
    if (this.#lines.size < 2) return;
    this.#order = new FairOrder(input());
    for (const [queue, line] of this.#lines) this.#announce(queue, line);
  }

  /** null: all were looked at. */
  next(): JobView | null {
    const first = this.#first.shift();
    if (first !== undefined) return first;
    const queue = this.#order === null ? this.#lines.keys().next().value : this.#order.next();
    const line = queue === undefined || queue === null ? undefined : this.#lines.get(queue);
    if (queue === undefined || queue === null || line === undefined) return null;
    const job = line.take();
    if (line.isEmpty) this.#lines.delete(queue);
    this.#announce(queue, line);
    return job;
  }

  /** The job was placed, or promised a place. */
  gave(job: JobView, model: string | null): void {
    if (model === null) return;
    const { queue } = job.spec;
    this.#lines.get(queue)?.gave(job.user, model, milliOf(job));
    if (this.#order !== null) this.#order.gave(queue, model, milliOf(job));
  }

  #announce(queue: QueueName, line: Line): void {
    if (this.#order === null) return;
    const job = line.peek();
    if (job === null) this.#order.close(queue);
    else this.#order.open(queue, modelsOf(job, this.#models), milliOf(job));
  }
}

const milliOf = (job: JobView): number => sizeOf(job) * job.spec.gpusPerWorker * milliPerGpu(job.spec);

function modelsOf({ spec }: JobView, present: readonly string[]): readonly string[] {
  if (spec.gpusPerWorker === 0) return [];
  return spec.gpuModels.length === 0 ? present : spec.gpuModels;
}

interface InLine {
  readonly job: JobView;
  /** null: not overdue. */
  readonly overdueSinceMs: number | null;
  readonly level: number;
}

/** In order; of those who are alike in all that comes before the users' shares, the oldest first. */
function inLine(jobs: readonly JobView[], standings: Standings): readonly InLine[] {
  const line = jobs.map((job) => ({ job, overdueSinceMs: standings.overdueSinceMs(job.uid), level: standings.levelInLine(job) }));
  return line.sort(compareInLine);
}

/** 0: alike. */
function compareInLine(left: InLine, right: InLine): number {
  const [since, other] = [left.overdueSinceMs, right.overdueSinceMs];
  if (since !== null && other !== null) return since - other;
  if (since !== null || other !== null) return since === null ? 1 : -1;
  return right.job.spec.priority - left.job.spec.priority || left.level - right.level;
}

/** The waiting jobs of one queue. */
class Line {
  /** Of those who are alike, the first; by user, each oldest first. */
  #users = new Map<UserName, JobView[]>();
  readonly #later: InLine[];
  /** All users who wait here. */
  readonly #named: ReadonlySet<UserName>;
  readonly #shares: UserShares | null;
  /** Whose turn it is, as long as nothing was taken or given since; undefined: to be found. */
  #turn: UserName | null | undefined;

  constructor(input: () => FairOrderInput, queue: QueueName, jobs: readonly InLine[]) {
    this.#named = new Set(jobs.map(({ job }) => job.user));
    this.#shares = this.#named.size > 1 ? new UserShares(input(), queue, this.#named) : null;
    this.#later = [...jobs].reverse();
    this.#fill();
  }

  get isEmpty(): boolean {
    return this.#users.size === 0;
  }

  peek(): JobView | null {
    const user = this.#user();
    return user === null ? null : (this.#users.get(user)?.[0] ?? null);
  }

  take(): JobView | null {
    const user = this.#user();
    const jobs = user === null ? undefined : this.#users.get(user);
    const job = jobs?.shift() ?? null;
    this.#turn = undefined;
    if (user !== null && jobs?.length === 0) this.#users.delete(user);
    if (this.#users.size === 0) this.#fill();
    return job;
  }

  gave(user: UserName, model: string, gpuMilli: number): void {
    // Somebody else's job of this queue, put first by an operator, changes nobody's turn here.
    if (!this.#named.has(user)) return;
    this.#shares?.gave(user, model, gpuMilli);
    this.#turn = undefined;
  }

  #user(): UserName | null {
    this.#turn ??= this.#findUser();
    return this.#turn;
  }

  /** The least share; of equal ones, who has waited longest. */
  #findUser(): UserName | null {
    let best: UserName | null = null;
    let least = 0;
    for (const [user, jobs] of this.#users) {
      const share = this.#shares?.shareOf(user) ?? 0;
      if (best !== null && share > least) continue;
      if (best === null || share < least || isOlder(jobs[0], this.#users.get(best)?.[0])) [best, least] = [user, share];
    }
    return best;
  }

  /** The next ones who are alike. */
  #fill(): void {
    const first = this.#later.at(-1);
    if (first === undefined) return;
    for (let next = this.#later.at(-1); next !== undefined && compareInLine(first, next) === 0; next = this.#later.at(-1)) {
      this.#later.pop();
      const jobs = this.#users.get(next.job.user);
      if (jobs === undefined) this.#users.set(next.job.user, [next.job]);
      else jobs.push(next.job);
    }
  }
}

function isOlder(left: JobView | undefined, right: JobView | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.createdAtMs !== right.createdAtMs ? left.createdAtMs < right.createdAtMs : left.uid < right.uid;
}
