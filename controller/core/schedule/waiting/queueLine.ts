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
  /** Of the rank that is looked at: by user, the kin with the oldest job last. */
  #users = new Map<UserName, KinAt[]>();
  /** Whose turn it is, as long as nothing was taken or given since; undefined: to be found. */
  #turn: UserName | null | undefined;
  #taken: { readonly user: UserName; readonly at: KinAt } | null = null;

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
    const overdue = this.#overdue.at(-1);
    if (overdue !== undefined) return overdue;
    const user = this.#user();
    const at = user === null ? undefined : this.#users.get(user)?.at(-1);
    return at === undefined ? null : jobAt(at);
  }

  take(): JobView | null {
    this.#taken = null;
    const overdue = this.#overdue.pop();
    if (overdue !== undefined) return overdue;
    const user = this.#user();
    const kins = user === null ? undefined : this.#users.get(user);
    const at = kins?.pop();
    if (user === null || kins === undefined || at === undefined) return null;
    const job = jobAt(at);
    this.#turn = undefined;
    this.#taken = { user, at };
    at.next += 1;
    if (at.next < at.kin.jobs.length) insert(kins, at);
    this.#tidy(user);
    return job;
  }

  /** Those behind the one that was taken last, in its kin, are not looked at. */
  refusedKin(): void {
    if (this.#taken === null) return;
    const { user, at } = this.#taken;
    const kins = this.#users.get(user) ?? [];
    const position = kins.lastIndexOf(at);
    if (position === -1) return;
    kins.splice(position, 1);
    this.#turn = undefined;
    this.#tidy(user);
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
    let oldest: JobView | null = null;
    let least = 0;
    for (const [user, kins] of this.#users) {
      const at = kins.at(-1);
      if (at === undefined) continue;
      const share = this.#shares?.shareOf(user) ?? 0;
      if (oldest !== null && share > least) continue;
      const job = jobAt(at);
      if (oldest === null || share < least || (job !== null && compareAges(job, oldest) < 0)) [best, oldest, least] = [user, job, share];
    }
    return best;
  }

  #tidy(user: UserName): void {
    if (this.#users.get(user)?.length === 0) this.#users.delete(user);
    if (this.#users.size === 0) this.#fill();
  }

  /** The next rank in which somebody is to be looked at. */
  #fill(): void {
    for (let rank = this.#ranks[this.#nextRank]; rank !== undefined && this.#users.size === 0; rank = this.#ranks[this.#nextRank]) {
      this.#nextRank += 1;
      for (const [user, { kins }] of rank.users) {
        const open = this.#open(kins);
        if (open.length > 0) this.#users.set(user, open);
      }
    }
  }

  /** Nominees and those put first have had their turn; an overdue one is the oldest of its kin. */
  #open(kins: readonly Kin[]): KinAt[] {
    const open: KinAt[] = [];
    const shortened: KinAt[] = [];
    for (const kin of kins) {
      const [first] = kin.jobs;
      if (first === undefined || !isInTurn(first)) continue;
      if (!this.#passed.has(first)) open.push({ kin, next: 0 });
      else if (kin.jobs.length > 1) shortened.push({ kin, next: 1 });
    }
    open.reverse();
    for (const at of shortened) insert(open, at);
    return open;
  }
}

interface KinAt {
  readonly kin: Kin;
  next: number;
}

/** Whom the pass has placed already is in the lines still. */
const isInTurn = ({ phase, nomination, next }: JobView): boolean => phase.kind === 'pending' && nomination === null && next === null;

const jobAt = ({ kin, next }: KinAt): JobView | null => kin.jobs[next] ?? null;

/** The oldest last. */
function insert(kins: KinAt[], at: KinAt): void {
  const job = jobAt(at);
  if (job === null) return;
  let low = 0;
  let high = kins.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = kins[middle];
    const otherJob = other === undefined ? null : jobAt(other);
    if (otherJob !== null && compareAges(otherJob, job) > 0) low = middle + 1;
    else high = middle;
  }
  kins.splice(low, 0, at);
}
