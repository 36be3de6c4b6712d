import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { applyQueue } from '#test/simulation/fakeCluster.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import { applyQueueEvent } from './applyQueue.ts';
import { FairOrder } from './fairOrder.ts';
import { settlePast } from './pastUsage.ts';
import { queueShare } from './share.ts';
import { countUsage } from './usage.ts';
import { UserShares } from './userShare.ts';

type Changes = Partial<Omit<QueueSpec, 'parent'>> & { readonly parent?: string };
const capacityMilli = new Map([
  ['A100', 50_000],
  ['H100', 100_000],
]);
const h100 = (gpus: number) => ({ H100: gpus });
const dayMs = 86_400_000;

function queues(specs: Readonly<Record<string, Changes>>): State {
  const state = emptyState();
  for (const [name, { parent, ...rest }] of Object.entries(specs)) {
    const { spec } = applyQueue(name, { ...rest, parent: parent === undefined ? null : queueName(parent) });
    applyQueueEvent(state, { kind: 'QueueApplied', name: queueName(name), labels: {}, spec, atMs: 0 });
  }
  return state;
}

function hold(state: State, queue: string, gpus: number, { model = 'H100', user = 'alice', atMs = 0 } = {}): void {
  const holding = { queue: queueName(queue), user: userName(user), model };
  settlePast(state, holding, atMs);
  countUsage(state, { ...holding, gpuMilli: Math.abs(gpus) * 1000 }, gpus > 0 ? 1 : -1);
}

function orderOf(state: State, open: Readonly<Record<string, readonly string[]>>, nowMs = 0): FairOrder {
  const order = new FairOrder({ state, capacityMilli, nowMs });
  for (const [name, models] of Object.entries(open)) order.open(queueName(name), models);
  return order;
}

/** Whose turn it is, one GPU each time, so often; or until nobody is left. */
function turns(order: FairOrder, count: number, gpuMilli = 1000): string {
  const names: string[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const queue = order.next();
    if (queue === null) break;
    names.push(queue);
    order.gave(queue, 'H100', gpuMilli);
  }
  return names.join(' ');
}

const all = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, ['H100']]));

describe('whose turn it is', () => {
  test('goes by share for each unit of weight, ties by name', () => {
    const state = queues({ a: { weight: 1 }, b: { weight: 3 } });
    expect(turns(orderOf(state, all('b', 'a')), 8)).toBe('a b b b a b b b');
  });

  test('can be told: the numbers that were compared, from the queue up, and who is right before it', () => {
    const state = queues({ org: {}, b: { parent: 'org', weight: 2 }, c: { parent: 'org' }, z: { guaranteed: h100(10) } });
    hold(state, 'b', 10);
    hold(state, 'z', 5);
    const order = new FairOrder({ state, capacityMilli, nowMs: 0 });
    order.open(queueName('b'), ['H100'], 8000);
    order.open(queueName('c'), ['H100'], 2000);
    order.open(queueName('z'), ['H100'], 1000);
    order.open(queueName('org'), ['H100'], 90_000);
    expect(order.standing(queueName('b'))).toEqual([
      { name: 'b', compared: 0.07, fulfilled: 1, isServing: false, turn: { at: 2, of: 3 }, after: { name: 'c', compared: 0.01 } },
      { name: 'org', compared: 0.11, fulfilled: 1, isServing: false, turn: { at: 2, of: 2 }, after: { name: 'z', compared: 0.055 } },
    ]);
    expect(order.standing(queueName('z'))).toMatchObject([{ name: 'z', fulfilled: 0.5, turn: { at: 1, of: 2 }, after: null }]);
    // An inner queue's own jobs stand beside the queues below it, and are told as the queue itself.
    expect(order.standing(queueName('org')).map(({ name }) => name)).toEqual(['org']);
  });

  test('counts half of what the next candidate wants as held', () => {
    const order = new FairOrder({ state: queues({ a: {}, b: {}, c: {}, d: { parent: 'c' } }), capacityMilli, nowMs: 0 });
    order.open(queueName('a'), ['H100'], 8000);
    order.open(queueName('d'), ['H100'], 1000);
    expect(turns(order, 6)).toBe('d d d d a d');
  });

  test('is nobody’s without candidates, and a queue that is closed is left out until it is opened again', () => {
    const order = orderOf(queues({ a: {}, b: {} }), all('a', 'b'));
    order.close(queueName('a'));
    expect(turns(order, 2)).toBe('b b');
    order.open(queueName('a'), ['H100']);
    expect(order.next()).toBe('a');
    order.close(queueName('a'));
    order.close(queueName('b'));
    expect(order.next()).toBeNull();
    expect(orderOf(queues({ a: {} }), {}).next()).toBeNull();
  });

  test('is decided level by level: a queue with many below it has one share', () => {
    const state = queues({ a: {}, a1: { parent: 'a' }, a2: { parent: 'a' }, b: {} });
    expect(turns(orderOf(state, all('a1', 'a2', 'b')), 8)).toBe('a1 b a2 b a1 b a2 b');
  });

  test('candidates of an inner queue itself stand beside the queues below it', () => {
    const state = queues({ a: {}, a1: { parent: 'a' }, b: {} });
    expect(turns(orderOf(state, all('a', 'a1', 'b')), 6)).toBe('a b a1 b a b');
  });

  test('is a serving queue’s before all others, wherever it stands', () => {
    const state = queues({ org: {}, s: { parent: 'org', class: 'serving' }, deep: { parent: 's' }, a: { guaranteed: h100(50) } });
    hold(state, 's', 90);
    const order = orderOf(state, all('a', 'deep'));
    expect(turns(order, 2)).toBe('deep deep');
    order.close(queueName('deep'));
    expect(order.next()).toBe('a');
  });

  test('is theirs that are below their guarantee, least fulfilled first, then by share', () => {
    const state = queues({ a: { guaranteed: h100(2) }, b: { guaranteed: h100(4) }, c: { weight: 1000 } });
    expect(turns(orderOf(state, all('a', 'b', 'c')), 9)).toBe('a b b a b b c c c');
  });

  test('counts a guarantee only for a model that is wanted', () => {
    const state = queues({ a: { guaranteed: { A100: 4 } }, b: {} });
    hold(state, 'a', 2);
    expect(orderOf(state, { a: ['H100'], b: ['H100'] }).next()).toBe('b');
    const order = orderOf(state, { a: ['H100', 'A100'], b: ['H100'] });
    expect(order.next()).toBe('a');
    order.open(queueName('a'), ['H100']);
    expect(order.next()).toBe('b');
  });

  test('goes by the model of which the queue has the largest share', () => {
    const state = queues({ a: {}, b: {} });
    hold(state, 'a', 30);
    hold(state, 'b', 20, { model: 'A100' });
    expect(orderOf(state, all('a', 'b')).next()).toBe('a');
  });

  test('a queue of weight 0 gets what nobody else wants; two of them share alike', () => {
    const state = queues({ a: { weight: 0 }, b: { weight: 0 }, c: {} });
    hold(state, 'c', 60);
    const order = orderOf(state, all('a', 'b', 'c'));
    expect(turns(order, 2)).toBe('c c');
    order.close(queueName('c'));
    expect(turns(order, 4)).toBe('a b a b');
  });

  test('counts the past of a queue with a half-life, but never of a serving one', () => {
    const past = { halfLifeMs: dayMs };
    const state = queues({ a: past, b: past, s: { ...past, class: 'serving' }, t: { ...past, class: 'serving' } });
    for (const name of ['a', 's']) {
      hold(state, name, 10);
      hold(state, name, -10, { atMs: dayMs });
    }
    expect(orderOf(state, all('a', 'b'), dayMs).next()).toBe('b');
    expect(orderOf(state, all('s', 't'), dayMs).next()).toBe('s');
    // Ten for a half-life count five, and a holding counts half beside a past: b draws level after five GPUs.
    expect(turns(orderOf(state, all('a', 'b'), dayMs), 7)).toBe('b b b b b a b');
  });

  test('a queue that always held the same has the same share with and without a half-life', () => {
    const state = queues({ a: { halfLifeMs: 1000 }, b: {} });
    hold(state, 'a', 10);
    hold(state, 'b', 10);
    const share = (name: string): number => queueShare(state, queueName(name), capacityMilli, 100 * 1000);
    expect(share('a')).toBeCloseTo(share('b'), 6);
    expect(share('b')).toBe(0.1);
  });
});

test('users of a queue take turns by what they hold, and what they held', () => {
  const state = queues({ a: { halfLifeMs: dayMs }, b: {} });
  hold(state, 'a', 4, { user: 'bob' });
  hold(state, 'b', 9, { user: 'alice' });
  const [alice, bob, carol] = [userName('alice'), userName('bob'), userName('carol')];
  const shares = new UserShares({ state, capacityMilli, nowMs: 0 }, queueName('a'), [carol, alice, bob, alice]);
  expect([bob, carol, alice].sort(shares.compare)).toEqual(['alice', 'carol', 'bob']);
  shares.gave(alice, 'H100', 3000);
  expect([bob, alice, carol].sort(shares.compare)).toEqual(['carol', 'alice', 'bob']);
  expect(shares.shareOf(alice)).toBe(0.015);
  hold(state, 'a', -4, { user: 'bob', atMs: dayMs });
  const later = new UserShares({ state, capacityMilli, nowMs: dayMs }, queueName('a'), [bob, carol]);
  expect([bob, carol].sort(later.compare)).toEqual(['carol', 'bob']);
});

test('being told step by step is the same as being made anew', () => {
  const action = fc.record({
    queue: fc.nat(5),
    kind: fc.constantFrom('open', 'openA', 'close', 'gave'),
    gpus: fc.integer({ min: 1, max: 5 }),
  });
  const tree = fc.record({
    parents: fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
    weights: fc.array(fc.constantFrom(0, 1, 1, 2, 5), { minLength: 6, maxLength: 6 }),
    guarantees: fc.array(fc.constantFrom(0, 0, 4, 8), { minLength: 6, maxLength: 6 }),
    serving: fc.nat(11),
  });
  fc.assert(
    fc.property(tree, fc.array(action, { maxLength: 40 }), ({ parents, weights, guarantees, serving }, actions) => {
      const specs: Record<string, Changes> = {};
      for (const [index, parent] of parents.entries()) {
        const guaranteed = guarantees[index] === 0 ? {} : h100(guarantees[index] ?? 0);
        const under = parent < index ? { parent: `q${parent}` } : {};
        specs[`q${index}`] = { ...under, guaranteed, weight: weights[index] ?? 1, class: serving === index ? 'serving' : 'batch' };
      }
      const state = queues(specs);
      const order = orderOf(state, {});
      const open: Record<string, readonly string[]> = {};
      for (const { queue, kind, gpus } of actions) {
        const name = `q${queue}`;
        if (kind === 'gave') {
          hold(state, name, gpus);
          order.gave(queueName(name), 'H100', gpus * 1000);
        } else if (kind === 'close') {
          delete open[name];
          order.close(queueName(name));
        } else {
          open[name] = kind === 'open' ? ['H100'] : ['A100'];
          order.open(queueName(name), open[name]);
        }
        expect(order.next()).toBe(orderOf(state, open).next());
      }
    }),
    { numRuns: cases(300) },
  );
});

/**
 * Every queue always wants more: when something ends, the next ones start. Time goes in minutes; answers the part of all GPU
 * time that each queue had, after a while to settle.
 */
function runForever(
  weights: readonly number[],
  jobs: readonly (readonly [gpus: number, minutes: number])[],
  halfLifeMs: number | null,
): readonly number[] {
  const state = queues(Object.fromEntries(weights.map((weight, index) => [`q${index}`, { weight, halfLifeMs }])));
  const [gpus, settleMinutes, minutes] = [256, 500, 3000];
  const capacity = new Map([['H100', gpus * 1000]]);
  const ends = new Map<number, (readonly [string, number])[]>();
  const had = new Map<string, number>();
  let free = gpus;
  const picks = new Map<string, number>();
  /** Each queue goes round the list, from a place of its own. */
  const jobOf = (queue: string) => jobs[((picks.get(queue) ?? 0) + Number(queue.slice(1)) * 3) % jobs.length] ?? ([1, 1] as const);
  for (let minute = 0; minute < minutes; minute += 1) {
    const atMs = minute * 60_000;
    for (const [queue, size] of ends.get(minute) ?? []) {
      hold(state, queue, -size, { atMs });
      free += size;
    }
    ends.delete(minute);
    const order = new FairOrder({ state, capacityMilli: capacity, nowMs: atMs });
    for (const name of state.queues.keys()) order.open(name, ['H100'], jobOf(name)[0] * 1000);
    for (let queue = order.next(); queue !== null; queue = order.next()) {
      const [size, length] = jobOf(queue);
      if (size > free) break;
      picks.set(queue, (picks.get(queue) ?? 0) + 1);
      hold(state, queue, size, { atMs });
      order.gave(queue, 'H100', size * 1000);
      order.open(queue, ['H100'], jobOf(queue)[0] * 1000);
      free -= size;
      ends.set(minute + length, [...(ends.get(minute + length) ?? []), [queue, size]]);
      const counted = Math.min(minutes, minute + length) - Math.max(settleMinutes, minute);
      if (counted > 0) had.set(queue, (had.get(queue) ?? 0) + size * counted);
    }
  }
  const total = [...had.values()].reduce((sum, one) => sum + one, 0);
  return weights.map((_, index) => (had.get(`q${index}`) ?? 0) / total);
}

test('under load shares converge to the weights within 2 % of the cluster, with and without a half-life', () => {
  const jobs = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 60 })), { minLength: 5, maxLength: 40 });
  const weights = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(weights, jobs, fc.constantFrom(null, 3_600_000), (all, shapes, halfLifeMs) => {
      const sum = all.reduce((total, one) => total + one, 0);
      for (const [index, share] of runForever(all, shapes, halfLifeMs).entries())
        expect(Math.abs(share - (all[index] ?? 0) / sum)).toBeLessThan(0.02);
    }),
    { numRuns: cases(12) },
  );
});
