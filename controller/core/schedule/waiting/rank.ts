import type { JobUid, QueueName, UserName } from '#vocabulary/ids.ts';
import type { JobView } from '../../state/view.ts';

/** Jobs of one queue, user, priority and level; of several ones only if they are alike (kin.ts). The oldest first, never empty. */
export interface Kin {
  readonly queue: QueueName;
  readonly user: UserName;
  readonly priority: number;
  readonly level: number;
  readonly jobs: readonly JobView[];
}

/** Jobs of one queue that are alike in all that comes before the users' shares. */
export interface Rank {
  readonly priority: number;
  readonly level: number;
  readonly users: ReadonlyMap<UserName, { readonly kins: readonly Kin[] }>;
}

/** The ranks of one queue, the first one first. */
export class Ranks {
  readonly #ranks: { readonly priority: number; readonly level: number; readonly users: Map<UserName, OfUser> }[] = [];

  get all(): readonly Rank[] {
    return this.#ranks;
  }

  /** A kin of its own. */
  add(job: JobView, level: number): Kin {
    const { queue, priority } = job.spec;
    const kin = { queue, user: job.user, priority, level, jobs: [job] };
    this.#ofUser(kin).insert(kin);
    return kin;
  }

  /** The kin, alone until now, becomes one with those of the key, or is known by it from now on. */
  join(kin: Kin, key: string): Kin {
    return this.#ofUser(kin).join(kin, key);
  }

  remove(kin: Kin, uid: JobUid): void {
    const at = this.#position(kin);
    const users = this.#ranks[at]?.users;
    const ofUser = users?.get(kin.user);
    ofUser?.remove(kin, uid);
    if (ofUser?.kins.length === 0) users?.delete(kin.user);
    if (users?.size === 0) this.#ranks.splice(at, 1);
  }

  #ofUser(kin: Kin): OfUser {
    const at = this.#position(kin);
    let rank = this.#ranks[at];
    if (rank?.priority !== kin.priority || rank.level !== kin.level) {
      rank = { priority: kin.priority, level: kin.level, users: new Map() };
      this.#ranks.splice(at, 0, rank);
    }
    const known = rank.users.get(kin.user) ?? new OfUser();
    rank.users.set(kin.user, known);
    return known;
  }

  /** There are few. */
  #position(kin: Kin): number {
    const found = this.#ranks.findIndex((rank) => compareRanks(rank, kin) >= 0);
    return found === -1 ? this.#ranks.length : found;
  }
}

/** Higher priority first, then the lower level; 0: the same rank. */
export function compareRanks(left: Pick<Rank, 'priority' | 'level'>, right: Pick<Rank, 'priority' | 'level'>): number {
  return right.priority - left.priority || left.level - right.level;
}

/** The older one first, then by uid. */
export function compareAges(left: JobView, right: JobView): number {
  return left.createdAtMs - right.createdAtMs || (left.uid < right.uid ? -1 : left.uid > right.uid ? 1 : 0);
}

/** Where the job stands, or would, in a list of which `ageOf` gives the sorting job. */
function positionByAge<T>(list: readonly T[], job: JobView, ageOf: (each: T) => JobView | undefined): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const each = list[middle];
    const other = each === undefined ? undefined : ageOf(each);
    if (other !== undefined && compareAges(other, job) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface MutableKin extends Kin {
  readonly jobs: JobView[];
}

/** One user's jobs of one rank. */
class OfUser {
  /** By the age of their oldest. */
  readonly kins: MutableKin[] = [];
  readonly #byKey = new Map<string, MutableKin>();
  readonly #keys = new Map<Kin, string>();

  insert(kin: MutableKin): void {
    const [first] = kin.jobs;
    if (first !== undefined) this.kins.splice(positionByAge(this.kins, first, oldest), 0, kin);
  }

  join(alone: Kin, key: string): Kin {
    const known = this.#byKey.get(key);
    const [job] = alone.jobs;
    if (job === undefined) return alone;
    const at = positionByAge(this.kins, job, oldest);
    const own = this.kins[at];
    if (own === undefined || own !== alone) return alone;
    if (known === undefined) {
      this.#byKey.set(key, own);
      this.#keys.set(own, key);
      return own;
    }
    this.kins.splice(at, 1);
    this.#moved(known, () => {
      known.jobs.splice(positionByAge(known.jobs, job, itself), 0, job);
    });
    return known;
  }

  remove(kin: Kin, uid: JobUid): void {
    const [first] = kin.jobs;
    const own = first === undefined ? undefined : this.kins[positionByAge(this.kins, first, oldest)];
    if (own === undefined || own !== kin) return;
    this.#moved(own, () => {
      const at = own.jobs.findIndex((job) => job.uid === uid);
      if (at !== -1) own.jobs.splice(at, 1);
    });
    if (own.jobs.length > 0) return;
    const key = this.#keys.get(own);
    if (key !== undefined) this.#byKey.delete(key);
    this.#keys.delete(own);
  }

  /** Changes who is in the kin, and so perhaps who is its oldest. */
  #moved(kin: MutableKin, change: () => void): void {
    const [before] = kin.jobs;
    if (before !== undefined) this.kins.splice(positionByAge(this.kins, before, oldest), 1);
    change();
    this.insert(kin);
  }
}

const oldest = ({ jobs }: Kin): JobView | undefined => jobs[0];
const itself = (job: JobView): JobView => job;
