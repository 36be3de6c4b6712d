import type { QueueName, UserName } from '#vocabulary/ids.ts';
import type { FairOrderInput } from '../../queues/fairOrder.ts';
import { UserShares } from '../../queues/userShare.ts';
import type { JobView } from '../../state/view.ts';
import type { Kin, Rank } from './rank.ts';
import { compareAges } from './rank.ts';

/** The waiting jobs of one queue in one pass: overdue ones, then rank by rank; in a rank the user with the least share, then age. */
export class QueueLine {
  readonly #overdue: JobView[];
  readonly #passed: ReadonlySet<JobView>;
  readonly #ranks: readonly Rank[];
  readonly #shares: UserShares | null;
  /** All users who wait here. */
  readonly #named: ReadonlySet<UserName>;
  #nextRank = 0;
  /** Of the rank that is looked at; whose turn it is comes last. */
  #users: Turn[] = [];
  /** The last one. */
  #taken: { readonly turn: Turn; readonly at: KinAt } | null = null;

  constructor(
    input: () => FairOrderInput,
    of: { readonly queue: QueueName; readonly ranks: readonly Rank[]; readonly overdue: readonly JobView[] },
  ) {
    this.#overdue = of.overdue.filter(isInTurn).reverse();
    this.#passed = new Set(of.overdue);
    this.#ranks = of.ranks;
    this.#named = new Set(of.ranks.flatMap(({ users }) => [...users.keys()]));
    this.#shares = this.#named.size > 1 ? new UserShares(input(), of.queue, this.#named) : null;
    this.#fill();
  }

  /** null: all were taken. */
  peek(): JobView | null {
    return this.#overdue.at(-1) ?? this.#users.at(-1)?.oldest ?? null;
  }

  take(): JobView | null {
    this.#taken = null;
    const overdue = this.#overdue.pop();
    if (overdue !== undefined) return overdue;
    const turn = this.#users.pop();
    const at = turn?.kins.pop();
    if (turn === undefined || at === undefined) return null;
    const job = jobAt(at);
    this.#taken = { turn, at };
    at.next += 1;
    if (at.next < at.kin.jobs.length) insertSorted(turn.kins, at, oldestLast);
    this.#giveTurn(turn);
    return job;
  }

  /** Those behind the one that was taken last, in its kin, are not looked at. */
  refusedKin(): void {
    if (this.#taken === null) return;
    const { turn, at } = this.#taken;
    const position = turn.kins.lastIndexOf(at);
    if (position === -1) return;
    this.#change(turn, () => {
      turn.kins.splice(position, 1);
    });
  }

  gave(user: UserName, model: string, gpuMilli: number): void {
    // Somebody else's job of this queue, put first by an operator, changes nobody's turn here.
    if (!this.#named.has(user)) return;
    this.#shares?.gave(user, model, gpuMilli);
    const turn = this.#users.find((one) => one.user === user);
    if (turn !== undefined) this.#change(turn, () => undefined);
  }

  #change(turn: Turn, change: () => void): void {
    const at = positionIn(this.#users, turn, leastLast);
    this.#users.splice(at, 1);
    change();
    this.#giveTurn(turn);
  }

  /** To its place among the others, which depends on its share and on its oldest job of now. */
  #giveTurn(turn: Turn): void {
    const last = turn.kins.at(-1);
    turn.oldest = last === undefined ? null : jobAt(last);
    turn.share = this.#shares?.shareOf(turn.user) ?? 0;
    if (turn.oldest !== null) insertSorted(this.#users, turn, leastLast);
    else if (this.#users.length === 0) this.#fill();
  }

  /** The next rank in which somebody is to be looked at. */
  #fill(): void {
    for (let rank = this.#ranks[this.#nextRank]; rank !== undefined && this.#users.length === 0; rank = this.#ranks[this.#nextRank]) {
      this.#nextRank += 1;
      for (const [user, { kins }] of rank.users) {
        const open = this.#open(kins);
        const last = open.at(-1);
        const oldest = last === undefined ? null : jobAt(last);
        if (oldest !== null) this.#users.push({ user, share: this.#shares?.shareOf(user) ?? 0, oldest, kins: open });
      }
      this.#users.sort(leastLast);
    }
  }

  /** Nominees and those put first have had their turn; an overdue one is the oldest of its kin. */
  #open(kins: readonly Kin[]): KinAt[] {
    const open: KinAt[] = [];
    const shortened: KinAt[] = [];
    for (const kin of kins) {
      const [first] = kin.jobs;
      if (first === undefined) continue;
      // Placed by now, perhaps: those behind it have their turn all the same.
      if (this.#passed.has(first)) {
        if (kin.jobs.length > 1) shortened.push({ kin, next: 1 });
      } else if (isInTurn(first)) open.push({ kin, next: 0 });
    }
    open.reverse();
    for (const at of shortened) insertSorted(open, at, oldestLast);
    return open;
  }
}

/** One user's in a rank. */
interface Turn {
  readonly user: UserName;
  /** As of when it was put into its place. */
  share: number;
  /** null: no more. */
  oldest: JobView | null;
  /** The one with the oldest job last. */
  readonly kins: KinAt[];
}

interface KinAt {
  readonly kin: Kin;
  next: number;
}

/** Whom the pass has placed already is in the lines still. */
const isInTurn = ({ phase, nomination, next }: JobView): boolean => phase.kind === 'pending' && nomination === null && next === null;

const jobAt = ({ kin, next }: KinAt): JobView | null => kin.jobs[next] ?? null;

function oldestLast(left: KinAt, right: KinAt): number {
  const [one, other] = [jobAt(left), jobAt(right)];
  return one === null || other === null ? 0 : compareAges(other, one);
}

/** The least share; of equal ones, who has waited longest. */
function leastLast(left: Turn, right: Turn): number {
  if (left.share !== right.share) return right.share - left.share;
  return left.oldest === null || right.oldest === null ? 0 : compareAges(right.oldest, left.oldest);
}

function insertSorted<T>(list: T[], one: T, compare: (left: T, right: T) => number): void {
  list.splice(positionIn(list, one, compare), 0, one);
}

/** Where it stands, or would: mostly near the end, as it was taken from there. */
function positionIn<T>(list: readonly T[], one: T, compare: (left: T, right: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = list[middle];
    if (other !== undefined && compare(other, one) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
