import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { applyQueue } from '#test/simulation/fakeCluster.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import { applyQueueEvent } from './applyQueue.ts';
import type { Claim } from './entitlement.ts';
import { EntitlementBook, hadLess, mayDisplace, mayDisplaceAll, mayReclaim, spareMilli } from './entitlement.ts';
import { findBrokenGuarantee } from './guarantee.ts';
import type { Standing } from './standing.ts';
import { noStanding } from './standing.ts';
import { countUsage } from './usage.ts';

type Changes = Partial<Omit<QueueSpec, 'parent'>> & { readonly parent?: string };

function queues(specs: Readonly<Record<string, Changes>>): State {
  const state = emptyState();
  for (const [name, { parent, ...rest }] of Object.entries(specs)) {
    const { spec } = applyQueue(name, { ...rest, parent: parent === undefined ? null : queueName(parent) });
    expect(findBrokenGuarantee(state.queues, queueName(name), spec)).toBeNull();
    applyQueueEvent(state, { kind: 'QueueApplied', name: queueName(name), labels: {}, spec, atMs: 0 });
  }
  return state;
}

const h100 = (gpus: number) => ({ H100: gpus });
const claim = (queue: string, gpus: number, changes: Partial<Claim> = {}): Claim => ({
  queue: queueName(queue),
  user: userName(`${queue}-user`),
  priority: 20,
  preemptible: true,
  model: 'H100',
  gpuMilli: gpus * 1000,
  standing: noStanding,
  ...changes,
});
const run = (state: State, ...claims: readonly Claim[]): void => {
  for (const one of claims) countUsage(state, one, 1);
};
const may = (state: State, nominee: Claim, victim: Claim): boolean => mayDisplace(nominee, victim, new EntitlementBook(state));

describe('inside one queue', () => {
  test('only a higher priority displaces, only what is preemptible, and guarantees say nothing', () => {
    const state = queues({ a: { guaranteed: h100(8) } });
    const victim = claim('a', 4);
    run(state, victim);
    expect(may(state, claim('a', 4, { priority: 21, user: userName('other') }), victim)).toBe(true);
    expect(may(state, claim('a', 4, { user: userName('other') }), victim)).toBe(false);
    expect(may(state, claim('a', 4, { priority: 21 }), { ...victim, preemptible: false })).toBe(false);
  });
});

describe('what was had', () => {
  const standing = (level: number, changes: Partial<Standing> = {}): Standing => ({
    level,
    waitsSinceMs: 50,
    yieldsToMs: 60,
    isSafe: false,
    ...changes,
  });
  const state = queues({ a: {}, below: { parent: 'a' }, s: { class: 'serving' } });
  const had = (queue: string, level: number, changes: Partial<Claim> = {}): Claim =>
    claim(queue, 4, { user: userName('other'), standing: standing(level), ...changes });

  test('entitles who had less, strictly, inside one queue and priority', () => {
    expect(may(state, claim('a', 4, { standing: standing(1) }), had('a', 2))).toBe(true);
    expect(may(state, claim('a', 4, { standing: standing(2) }), had('a', 2))).toBe(false);
    expect(may(state, claim('a', 4, { standing: standing(3) }), had('a', 2))).toBe(false);
    expect(may(state, claim('below', 4, { standing: standing(0) }), had('a', 2))).toBe(false);
    expect(may(state, claim('a', 4, { standing: standing(0) }), had('a', 2, { priority: 21 }))).toBe(false);
    expect(may(state, claim('a', 4, { standing: standing(3) }), had('a', 2, { priority: 19 }))).toBe(true);
  });

  test('entitles to nothing of the same user, of who may not be asked, and of who does not yield yet', () => {
    const nominee = claim('a', 4, { standing: standing(0) });
    expect(may(state, nominee, had('a', 2, { user: nominee.user }))).toBe(false);
    expect(may(state, nominee, had('a', 2, { preemptible: false }))).toBe(false);
    expect(may(state, nominee, had('a', 2, { standing: standing(2, { yieldsToMs: 49 }) }))).toBe(false);
    expect(may(state, nominee, had('a', 2, { standing: standing(2, { yieldsToMs: 50 }) }))).toBe(true);
  });

  test('who has its hour is safe from all but serving, and from who takes its guarantee back', () => {
    const safe = had('a', 2, { standing: standing(2, { isSafe: true }) });
    expect(may(state, claim('a', 4, { standing: standing(0) }), safe)).toBe(false);
    expect(may(state, claim('a', 4, { priority: 90 }), safe)).toBe(false);
    expect(may(state, claim('s', 4, { priority: 1 }), safe)).toBe(true);
    const guaranteed = queues({ a: {}, b: { guaranteed: h100(4) } });
    run(guaranteed, safe);
    expect(may(guaranteed, claim('b', 4), safe)).toBe(true);
  });
});

describe('reclaim', () => {
  /** org: serving is guaranteed 4, research 8; scratch nothing. */
  const tree = () =>
    queues({
      org: { limit: h100(16) },
      research: { parent: 'org', guaranteed: h100(8) },
      nlp: { parent: 'research' },
      vision: { parent: 'research', guaranteed: h100(4) },
      serving: { parent: 'org', guaranteed: h100(4) },
      scratch: {},
    });

  test('takes from who borrows, up to the guarantee and whatever the priorities are', () => {
    const state = tree();
    const borrower = claim('scratch', 4, { priority: 90 });
    run(state, borrower, claim('vision', 2));
    expect(may(state, claim('vision', 2, { priority: 1 }), borrower)).toBe(true);
    expect(may(state, claim('vision', 3, { priority: 1 }), borrower)).toBe(false);
  });

  test('a queue without guarantee reclaims for the one above it, as far as that one goes', () => {
    const state = tree();
    const borrower = claim('scratch', 4);
    run(state, borrower, claim('vision', 4));
    expect(may(state, claim('nlp', 4), borrower)).toBe(true);
    expect(may(state, claim('nlp', 5), borrower)).toBe(false);
  });

  test('the guarantees below a root that names none are its own', () => {
    const state = tree();
    const borrower = claim('scratch', 4);
    run(state, borrower, claim('nlp', 8));
    expect(may(state, claim('serving', 4), borrower)).toBe(true);
    expect(may(state, claim('scratch', 1, { priority: 99 }), claim('nlp', 1))).toBe(false);
  });

  test('nobody is pushed below a guarantee, neither its own nor one above it', () => {
    const state = tree();
    run(state, claim('nlp', 6), claim('vision', 4));
    const book = new EntitlementBook(state);
    expect(spareMilli(queueName('serving'), queueName('nlp'), 'H100', book)).toBe(2000);
    expect(spareMilli(queueName('serving'), queueName('vision'), 'H100', book)).toBe(0);
    expect(spareMilli(queueName('vision'), queueName('nlp'), 'H100', book)).toBe(Number.POSITIVE_INFINITY);
    expect(may(state, claim('serving', 4), claim('nlp', 3))).toBe(false);
    expect(may(state, claim('serving', 4, { priority: 99 }), claim('vision', 1))).toBe(false);
  });

  test('does not take a GPU of another model, nor for a job without GPUs', () => {
    const state = tree();
    const borrower = claim('scratch', 4, { model: 'A100' });
    run(state, borrower);
    expect(may(state, claim('vision', 1), borrower)).toBe(false);
    expect(mayReclaim(claim('vision', 0, { model: null }), borrower, new EntitlementBook(state))).toBe(false);
  });

  test('victims of one plan are judged together', () => {
    const state = tree();
    const victims = [claim('nlp', 2), claim('nlp', 2), claim('nlp', 2)] as const;
    run(state, ...victims, claim('vision', 6));
    const book = new EntitlementBook(state);
    const nominee = claim('serving', 4);
    expect(victims.map((victim) => mayDisplace(nominee, victim, book))).toEqual([true, true, true]);
    expect([1, 2, 3].map((count) => mayDisplaceAll(nominee, victims.slice(0, count), book))).toEqual([true, true, false]);
    book.give(victims[0]);
    const mark = book.mark();
    book.give(victims[1]);
    expect(mayDisplace(nominee, victims[2], book)).toBe(false);
    book.rollback(mark);
    expect(mayDisplace(nominee, victims[2], book)).toBe(true);
    book.take(nominee);
    expect(book.heldMilli(queueName('org'), 'H100')).toBe(14_000);
  });
});

describe('classes and users', () => {
  const tree = () => queues({ a: {}, b: {}, s: { class: 'serving' }, below: { parent: 's' } });

  test('serving displaces batch whatever the priority, and never the other way by priority', () => {
    const state = tree();
    run(state, claim('a', 2, { priority: 99 }), claim('below', 2, { priority: 0 }));
    expect(may(state, claim('below', 2, { priority: 0 }), claim('a', 2, { priority: 99 }))).toBe(true);
    expect(may(state, claim('a', 2, { priority: 99 }), claim('below', 2, { priority: 0 }))).toBe(false);
  });

  test('a user’s jobs of equal priority never displace each other, not even to reclaim', () => {
    const state = queues({ a: { guaranteed: h100(4) }, b: {} });
    const victim = claim('b', 2, { user: userName('alice') });
    run(state, victim);
    expect(may(state, claim('a', 2, { user: userName('alice') }), victim)).toBe(false);
    expect(may(state, claim('a', 2, { user: userName('alice'), priority: 19 }), victim)).toBe(true);
    expect(may(state, claim('a', 2, { user: userName('carol') }), victim)).toBe(true);
  });
});

/** A tree of up to 7 queues whose guarantees fit, and jobs in it. */
const worlds = fc
  .record({
    parents: fc.array(fc.nat(6), { minLength: 2, maxLength: 7 }),
    guarantees: fc.array(fc.option(fc.nat(6)), { minLength: 7, maxLength: 7 }),
    classes: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
    jobs: fc.array(
      fc.record({
        queue: fc.nat(6),
        user: fc.nat(2),
        priority: fc.nat(3),
        gpus: fc.integer({ min: 1, max: 4 }),
        preemptible: fc.boolean(),
        level: fc.integer({ min: -1, max: 3 }),
        waitsSinceMs: fc.nat(3),
        yieldsToMs: fc.constantFrom(-Infinity, 0, 1, 2, 3),
        isSafe: fc.nat(9).map((one) => one === 0),
      }),
      { minLength: 2, maxLength: 12 },
    ),
    seed: fc.infiniteStream(fc.nat(1000)),
  })
  .map(({ parents, guarantees, classes, jobs, seed }) => {
    const specs = new Map<string, Changes>();
    for (const [index, parent] of parents.entries()) {
      const under = index > 0 && parent < index ? { parent: `q${parent}` } : {};
      specs.set(`q${index}`, { ...under, class: classes[index] === true ? 'serving' : 'batch' });
    }
    const state = emptyState();
    const applyOne = (name: string, { parent, ...rest }: Changes): void => {
      const { spec } = applyQueue(name, { ...rest, parent: parent === undefined ? null : queueName(parent) });
      if (findBrokenGuarantee(state.queues, queueName(name), spec) !== null) return;
      applyQueueEvent(state, { kind: 'QueueApplied', name: queueName(name), labels: {}, spec, atMs: 0 });
    };
    for (const [name, changes] of specs) applyOne(name, changes);
    // From the leaves up, so that a parent's guarantee is tried against what is below it already.
    for (const [index, [name, changes]] of [...specs].entries().toArray().reverse()) {
      const gpus = guarantees[index] ?? null;
      if (gpus !== null) applyOne(name, { ...changes, guaranteed: h100(gpus) });
    }
    const claims = jobs.map((job) =>
      claim(`q${job.queue % parents.length}`, job.gpus, {
        user: userName(`u${job.user}`),
        priority: job.priority,
        preemptible: job.preemptible,
        standing: { level: job.level, waitsSinceMs: job.waitsSinceMs, yieldsToMs: job.yieldsToMs, isSafe: job.isSafe },
      }),
    );
    return { state, claims, seed };
  });

interface World {
  readonly state: State;
  readonly running: Claim[];
  readonly waiting: Claim[];
}

/** Victims in the given order, taken while allowed, until the nominee fits; null when it never does. */
function chooseVictims({ state, running }: World, nominee: Claim, free: number): readonly Claim[] | null {
  const book = new EntitlementBook(state);
  const victims: Claim[] = [];
  let room = free;
  for (const victim of running) {
    if (room >= nominee.gpuMilli) break;
    if (!mayDisplace(nominee, victim, book)) continue;
    book.give(victim);
    victims.push(victim);
    room += victim.gpuMilli;
  }
  if (room < nominee.gpuMilli || victims.length === 0) return null;
  expect(mayDisplaceAll(nominee, victims, new EntitlementBook(state))).toBe(true);
  return victims;
}

function swap(world: World, nominee: Claim, victims: readonly Claim[]): void {
  for (const victim of victims) {
    countUsage(world.state, victim, -1);
    world.running.splice(world.running.indexOf(victim), 1);
    world.waiting.push(victim);
  }
  countUsage(world.state, nominee, 1);
  world.waiting.splice(world.waiting.indexOf(nominee), 1);
  world.running.push(nominee);
}

/** Of queues that the nominee is not in: held, as far as it is guaranteed. */
function covered({ state }: World, nominee: Claim): ReadonlyMap<string, number> {
  const book = new EntitlementBook(state);
  const outside = [...state.queues.keys()].filter((name) => !book.tree.chain(nominee.queue).includes(name));
  return new Map(outside.map((name) => [name, Math.min(book.heldMilli(name, 'H100'), book.guaranteedMilli(name, 'H100'))]));
}

/** The first jobs run, as far as the cluster goes; the others wait. */
function start(state: State, claims: readonly Claim[]): { readonly world: World; free: number } {
  const world: World = { state, running: [], waiting: [] };
  let free = 8000;
  for (const one of claims) {
    if (one.gpuMilli > free) world.waiting.push(one);
    else {
      free -= one.gpuMilli;
      world.running.push(one);
      countUsage(state, one, 1);
    }
  }
  return { world, free };
}

test('what was displaced cannot displace what came in its place, and no guarantee outside the nominee’s queue is broken', () => {
  let [swaps, byLevel] = [0, 0];
  fc.assert(
    fc.property(worlds, ({ state, claims }) => {
      const { world, free } = start(state, claims);
      for (const nominee of [...world.waiting]) {
        const victims = chooseVictims(world, nominee, free);
        if (victims === null) continue;
        swaps += 1;
        if (victims.some((victim) => hadLess(nominee, victim) && nominee.priority === victim.priority)) byLevel += 1;
        const before = covered(world, nominee);
        swap(world, nominee, victims);
        for (const [name, milli] of covered(world, nominee)) expect(milli).toBeGreaterThanOrEqual(before.get(name) ?? 0);
        const book = new EntitlementBook(world.state);
        for (const victim of victims)
          expect(mayDisplace({ ...victim, preemptible: true }, { ...nominee, preemptible: true }, book)).toBe(false);
        return;
      }
    }),
    { numRuns: cases(3000) },
  );
  expect(swaps).toBeGreaterThan(300);
  expect(byLevel).toBeGreaterThan(20);
});

test('displacing comes to an end: no sequence of it ever comes back to where it was', () => {
  fc.assert(
    fc.property(worlds, ({ state, claims, seed }) => {
      const { world, free: freeAtFirst } = start(state, claims);
      let free = freeAtFirst;
      const seen = new Set<string>();
      for (const pick of seed) {
        const key = world.running
          .map((one) => claims.indexOf(one))
          .sort((a, b) => a - b)
          .join(',');
        expect(seen.has(key)).toBe(false);
        seen.add(key);
        const swaps = world.waiting.flatMap((nominee) => {
          const victims = chooseVictims(world, nominee, free);
          return victims === null ? [] : [{ nominee, victims }];
        });
        const chosen = swaps[pick % swaps.length];
        if (chosen === undefined) return;
        free += chosen.victims.reduce((sum, one) => sum + one.gpuMilli, 0) - chosen.nominee.gpuMilli;
        swap(world, chosen.nominee, chosen.victims);
      }
    }),
    { numRuns: cases(2000) },
  );
});
