import type { JobUid, UserName } from '#vocabulary/ids.ts';
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

  constructor(running: readonly { readonly victim: JobView; readonly claim: Claim }[], standings: Standings) {
    this.#nowMs = standings.nowMs;
    for (const { victim, claim } of standings.isSlicing ? running : []) {
      const attempt = currentAttempt(victim);
      if (attempt === undefined || (attempt.stage.kind !== 'running' && attempt.stage.kind !== 'starting') || claim.model === null)
        continue;
      const slice = sliceOf(standings, { job: victim, attempt, claim });
      if (slice === null) continue;
      const group = this.#groups.get(keyOf(claim)) ?? new Group();
      this.#groups.set(keyOf(claim), group);
      group.add(slice);
    }
  }

  /** Of those who may be stopped for it now: how many there are and what they hold. The search says whether that is a place. */
  chances(nominee: Claim): { readonly count: number; readonly gpuMilli: number } {
    return this.#groups.get(keyOf(nominee))?.chances(nominee) ?? { count: 0, gpuMilli: 0 };
  }

  /** It found no place, and nobody to stop. */
  missed(nominee: Claim): void {
    this.#groups.get(keyOf(nominee))?.missed(nominee);
  }

  /** When time alone makes somebody yield to one that missed; null: it does not. */
  get wakeAtMs(): number | null {
    let soonest = Infinity;
    for (const group of this.#groups.values()) soonest = Math.min(soonest, group.wakeAtMs(this.#nowMs));
    return soonest === Infinity ? null : soonest;
  }

  /** Who would yield to one that missed, had it just saved. */
  get awaitsSave(): ReadonlySet<JobUid> {
    return new Set([...this.#groups.values()].flatMap((group) => group.awaitsSave()));
  }
}

const keyOf = ({ queue, priority }: Pick<Claim, 'queue' | 'priority'>): string => `${queue} ${priority}`;

interface Slice {
  readonly uid: JobUid;
  readonly claim: Claim;
  /** Yields from then on to those who have been patient. */
  readonly fromMs: number;
  readonly patienceMs: number;
  readonly levelEndsAtMs: number;
}

function sliceOf(standings: Standings, of: { readonly job: JobView; readonly attempt: AttemptView; readonly claim: Claim }): Slice | null {
  const { job, attempt, claim } = of;
  const patienceMs = standings.patienceMs(job, attempt);
  if (patienceMs === -Infinity) return null;
  const shortestMs = attempt.placedAtMs + job.spec.minRuntimeMs;
  const fromMs = Math.max(standings.slicedFromMs(attempt), standings.safeUntilMs(job, attempt) ?? 0, shortestMs);
  return { uid: job.uid, claim, fromMs, patienceMs, levelEndsAtMs: standings.levelEndsAtMs(job, attempt) };
}

/** Since when somebody waits. */
interface Missed {
  readonly user: UserName;
  readonly sinceMs: number;
}

class Group {
  readonly #slices: Slice[] = [];
  /** By the level of a nominee: those above it. */
  readonly #above = new Map<number, Above>();
  /** By level, the two who have waited longest, of different users: one of them is not the victim's own. */
  readonly #missed = new Map<number, readonly Missed[]>();

  add(slice: Slice): void {
    this.#slices.push(slice);
  }

  chances({ user, standing }: Claim): { readonly count: number; readonly gpuMilli: number } {
    let above = this.#above.get(standing.level);
    if (above === undefined) {
      above = new Above(this.#slices.filter((slice) => mayYield(slice, standing.level)));
      this.#above.set(standing.level, above);
    }
    return above.yieldingTo(user, standing.waitsSinceMs);
  }

  missed({ user, standing: { level, waitsSinceMs } }: Claim): void {
    const known = this.#missed.get(level) ?? [];
    // They come in the order of their turns, and nearly always somebody has waited longer.
    if (known.length === 2 && known.every((one) => one.sinceMs <= waitsSinceMs)) return;
    const sinceMs = Math.min(waitsSinceMs, known.find((one) => one.user === user)?.sinceMs ?? waitsSinceMs);
    const all = [...known.filter((one) => one.user !== user), { user, sinceMs }];
    this.#missed.set(level, all.sort((left, right) => left.sinceMs - right.sinceMs || (left.user < right.user ? -1 : 1)).slice(0, 2));
  }

  wakeAtMs(nowMs: number): number {
    let soonest = Infinity;
    for (const slice of this.#slices) {
      const { level } = slice.claim.standing;
      for (const [missed, waiting] of this.#missed) {
        if (missed > level || !this.#isPatient(waiting, slice)) continue;
        const atMs = missed === level ? Math.max(slice.levelEndsAtMs, slice.fromMs) : slice.fromMs;
        if (atMs > nowMs) soonest = Math.min(soonest, atMs);
      }
    }
    return soonest;
  }

  awaitsSave(): readonly JobUid[] {
    return this.#slices.flatMap((slice) => {
      const isAwaited = [...this.#missed].some(
        ([missed, waiting]) => missed <= slice.claim.standing.level && hasOther(waiting, slice) && !this.#isPatient(waiting, slice),
      );
      return isAwaited ? [slice.uid] : [];
    });
  }

  #isPatient(waiting: readonly Missed[], { claim, patienceMs }: Slice): boolean {
    return waiting.some(({ user, sinceMs }) => user !== claim.user && sinceMs <= patienceMs);
  }
}

const mayYield = ({ claim: { standing } }: Slice, level: number): boolean => standing.level > level && standing.yieldsToMs > -Infinity;

const hasOther = (waiting: readonly Missed[], { claim }: Slice): boolean => waiting.some(({ user }) => user !== claim.user);

/** Victims of some levels, counted by how patient one must have been. */
class Above {
  readonly #all: Counted;
  readonly #byUser: ReadonlyMap<UserName, Counted>;

  constructor(slices: readonly Slice[]) {
    this.#all = new Counted(slices);
    this.#byUser = new Map([...Map.groupBy(slices, ({ claim }) => claim.user)].map(([user, own]) => [user, new Counted(own)]));
  }

  /** Nobody yields to another job of the same user. */
  yieldingTo(user: UserName, sinceMs: number): { readonly count: number; readonly gpuMilli: number } {
    const all = this.#all.yieldingTo(sinceMs);
    const own = this.#byUser.get(user)?.yieldingTo(sinceMs) ?? { count: 0, gpuMilli: 0 };
    return { count: all.count - own.count, gpuMilli: all.gpuMilli - own.gpuMilli };
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
