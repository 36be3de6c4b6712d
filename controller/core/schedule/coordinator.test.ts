import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyState } from '#core/state/emptyState.ts';
import { jobUid } from '#vocabulary/ids.ts';
import { chooseCoordinator } from './coordinator.ts';

const ports = { first: 24_000, count: 20 };
const choose = (uid: string, attempt: number, used: readonly number[] = []): number => {
  const state = emptyState();
  state.ports.set('127.0.0.1', new Set(used));
  return chooseCoordinator(state, ports, { uid: jobUid(uid), attempt, placement: [] }).port;
};

test('each attempt of a job goes one port further', () => {
  const first = choose('a', 1);
  expect(choose('a', 2)).toBe(first === 24_019 ? 24_000 : first + 1);
});

test('a port in use is passed over, and all of them are inside the range', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.nat(1_000),
      fc.uniqueArray(fc.integer({ min: 24_000, max: 24_019 }), { maxLength: 19 }),
      (uid, attempt, used) => {
        const port = choose(uid, attempt, used);
        expect(used).not.toContain(port);
        expect(port).toBeGreaterThanOrEqual(24_000);
        expect(port).toBeLessThan(24_020);
      },
    ),
  );
});

test('when all ports are in use one of them is taken all the same: two gangs may never meet, and none waits for it', () => {
  const all = Array.from({ length: 20 }, (_, index) => 24_000 + index);
  expect(all).toContain(choose('a', 1, all));
});
