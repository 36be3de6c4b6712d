import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jobUid } from '#vocabulary/ids.ts';
import type { Due } from './dueList.ts';
import { DueList } from './dueList.ts';

test('what is due comes in order of time, then of job, however it was added and taken', () => {
  const anyDue = fc.record({
    atMs: fc.nat(20),
    job: fc.nat(9).map((n) => jobUid(`uid-${n}`)),
    attempt: fc.constant(1),
    what: fc.constant('end' as const),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(anyDue, fc.option(fc.nat(20)))), (steps) => {
      const list = new DueList();
      let wanted: Due[] = [];
      for (const [due, untilMs] of steps) {
        list.add(due);
        wanted.push(due);
        if (untilMs === null) continue;
        const taken = list.takeUntil(untilMs);
        const order = (one: Due, other: Due): number => one.atMs - other.atMs || (one.job < other.job ? -1 : one.job > other.job ? 1 : 0);
        expect(taken).toEqual(wanted.filter(({ atMs }) => atMs <= untilMs).sort(order));
        wanted = wanted.filter(({ atMs }) => atMs > untilMs);
        expect(list.nextMs).toBe(wanted.length === 0 ? null : Math.min(...wanted.map(({ atMs }) => atMs)));
      }
    }),
  );
});
