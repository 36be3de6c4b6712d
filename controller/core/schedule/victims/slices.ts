import type { UserName } from '#vocabulary/ids.ts';
import type { Claim } from '../../queues/entitlement.ts';
import type { AttemptView, JobView } from '../../state/view.ts';
import type { Standings } from '../../queues/standing.ts';
import { currentAttempt } from '../../state/state.ts';

/**
 * What time slicing could do in one pass, by queue and priority: a quick answer whether a search for victims can help at
 * all, for each of very many jobs that wait; and when or whereby it will help one that it does not help now.
 */
export class Slices {
  readonly #groups = new Map<string, Group>();
  readonly #nowMs: number;

  /** `running`: of those that have ever saved; nobody else yields. */
  constructor(running: Iterable<{ readonly victim: JobView; readonly claim: Claim }>, standings: Standings) {
    this.#nowMs = standings.nowMs;
    for (const { victim, claim } of running) {
      const attempt = currentAttempt(victim);
      if (attempt === undefined || (attempt.stage.kind !== 'running' && attempt.stage.kind !== 'starting') || claim.model === null)
        continue;
      const slice = sliceOf(standings, { job: victim, attempt, claim });
      if (slice === null) continue;
      this.#group(sliceKey(claim)).add(slice);
    }
  }

  /** Of those who may be stopped for it now: how many there are and what they hold. The search says whether that is a place. */
  chances(nominee: Claim): Chances {
    return this.#groups.get(sliceKey(nominee))?.chances(nominee) ?? { count: 0, gpuMilli: 0, own: 0 };
  }

  /** It found no place, and nobody to stop. */
  missed(nominee: Claim): void {
    this.#group(sliceKey(nominee)).missed(nominee);
  }

  /** When time alone makes somebody yield to one that missed; null: it does not. */
  get wakeAtMs(): number | null {
    let soonest = Infinity;
    for (const group of this.#groups.values()) soonest = Math.min(soonest, group.wakeAtMs(this.#nowMs));
    return soonest === Infinity ? null : soonest;
  }

  /** By queue and priority, then level: the newest of those who missed. */
  get missedBy(): ReadonlyMap<string, ReadonlyMap<number, readonly MissedBy[]>> {
    const missed = [...this.#groups].map(([key, group]) => [key, group.newestMissed()] as const);
    return new Map(missed.filter(([, levels]) => levels.size > 0));
  }

  #group(key: string): Group {
    const group = this.#groups.get(key) ?? new Group();
    this.#groups.set(key, group);
    return group;
  }
}

export interface Chances {
  readonly count: number;
  readonly gpuMilli: number;
  /** How many more there would be, were they not of the same user. */
  readonly own: number;
}

/** Only those of one queue and priority take turns. */
export const sliceKey = ({ queue, priority }: Pick<Claim, 'queue' | 'priority'>): string => `${queue} ${priority}`;

interface Slice {
  readonly claim: Claim;
  /** Yields from then on to those who have been patient. */
  readonly fromMs: number;
  readonly patienceMs: number;
  readonly passesAtMs: (level: number) => number;
}

function sliceOf(standings: Standings, of: { readonly job: JobView; readonly attempt: AttemptView; readonly claim: Claim }): Slice | null {
  const { job, attempt, claim } = of;
  if (!standings.maySlice(job)) return null;
  const patienceMs = standings.patienceMs(job, attempt);
  const shortestMs = attempt.placedAtMs + job.spec.minRuntimeMs;
  const fromMs = Math.max(standings.slicedFromMs(attempt), standings.safeUntilMs(job, attempt) ?? 0, shortestMs);
  return { claim, fromMs, patienceMs, passesAtMs: (level) => standings.passesAtMs(job, attempt, level) };
}

/** Who of a level found nothing: of the longest waits, and of the shortest, those of two users, so that one is not the victim's own. */
interface Missed {
  readonly oldest: readonly MissedBy[];
  readonly newest: readonly MissedBy[];
}

/** Somebody who waits since then. */
export interface MissedBy {
  readonly user: UserName;
  readonly sinceMs: number;
}

class Group {
  readonly #slices: Slice[] = [];
  /** By the level of a nominee: those above it. */
  readonly #above = new Map<number, Above>();
  /** By level. */
  readonly #missed = new Map<number, Missed>();

  add(slice: Slice): void {
    this.#slices.push(slice);
  }

  chances({ user, standing }: Claim): Chances {
    let above = this.#above.get(standing.level);
    if (above === undefined) {
      above = new Above(this.#slices.filter((slice) => mayYield(slice, standing.level)));
      this.#above.set(standing.level, above);
    }
    return above.yieldingTo(user, standing.waitsSinceMs);
  }

  missed({ user, standing: { level, waitsSinceMs } }: Claim): void {
    const one = { user, sinceMs: waitsSinceMs };
    const { oldest, newest } = this.#missed.get(level) ?? { oldest: [], newest: [] };
    this.#missed.set(level, { oldest: withFirst(oldest, one, 1), newest: withFirst(newest, one, -1) });
  }

  wakeAtMs(nowMs: number): number {
    let soonest = Infinity;
    for (const slice of this.#slices) {
      for (const [level, { oldest }] of this.#missed) {
        const others = oldest.filter(({ user }) => user !== slice.claim.user);
        // Until it saves it yields to nobody; what that changes is in awaitsSave.ts.
        if (!others.some(({ sinceMs }) => sinceMs <= slice.patienceMs)) continue;
        const atMs = Math.max(slice.claim.standing.level > level ? nowMs : slice.passesAtMs(level), slice.fromMs);
        if (atMs > nowMs) soonest = Math.min(soonest, atMs);
      }
    }
    return soonest;
  }

  newestMissed(): ReadonlyMap<number, readonly MissedBy[]> {
    return new Map([...this.#missed].map(([level, { newest }]) => [level, newest]));
  }
}

/** The first two users by since when they wait, ascending (1) or descending (-1). */
function withFirst(known: readonly MissedBy[], one: MissedBy, sign: 1 | -1): readonly MissedBy[] {
  const last = known.at(-1);
  // Nearly always two users are known who come before it.
  if (known.length === 2 && last !== undefined && sign * (last.sinceMs - one.sinceMs) <= 0) return known;
  const own = known.find(({ user }) => user === one.user);
  if (own !== undefined && sign * (own.sinceMs - one.sinceMs) <= 0) return known;
  const all = [...known.filter(({ user }) => user !== one.user), one];
  return all.sort((left, right) => sign * (left.sinceMs - right.sinceMs) || (left.user < right.user ? -1 : 1)).slice(0, 2);
}

const mayYield = ({ claim: { standing } }: Slice, level: number): boolean => standing.level > level && standing.yieldsToMs > -Infinity;

/** Victims of some levels, counted by how patient one must have been. */
class Above {
  readonly #all: Counted;
  readonly #byUser: ReadonlyMap<UserName, Counted>;

  constructor(slices: readonly Slice[]) {
    this.#all = new Counted(slices);
    this.#byUser = new Map([...Map.groupBy(slices, ({ claim }) => claim.user)].map(([user, own]) => [user, new Counted(own)]));
  }

  /** Nobody yields to another job of the same user. */
  yieldingTo(user: UserName, sinceMs: number): Chances {
    const all = this.#all.yieldingTo(sinceMs);
    const own = this.#byUser.get(user)?.yieldingTo(sinceMs) ?? { count: 0, gpuMilli: 0 };
    return { count: all.count - own.count, gpuMilli: all.gpuMilli - own.gpuMilli, own: own.count };
  }
}

class Counted {
  /** Descending. */
  readonly #yieldsToMs: readonly number[];
  /** Of the first so many. */
  readonly #gpuMilli: readonly number[];

  constructor(slices: readonly Slice[]) {
    const sorted = slices.map(({ claim }) => claim).sort((left, right) => right.standing.yieldsToMs - left.standing.yieldsToMs);
    this.#yieldsToMs = sorted.map(({ standing }) => standing.yieldsToMs);
    let sum = 0;
    this.#gpuMilli = [0, ...sorted.map(({ gpuMilli }) => (sum += gpuMilli))];
  }

  yieldingTo(sinceMs: number): { readonly count: number; readonly gpuMilli: number } {
    let [low, high] = [0, this.#yieldsToMs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#yieldsToMs[middle] ?? -Infinity) >= sinceMs) low = middle + 1;
      else high = middle;
    }
    return { count: low, gpuMilli: this.#gpuMilli[low] ?? 0 };
  }
}
