import { expect, test } from 'vitest';
import type { Amounts } from './amounts.ts';
import { rowOf, totalRowsMax } from './totals.ts';

test('names beyond the limit share one row, and the same name always finds the same one', () => {
  const rows = new Map<string, Amounts>();
  for (let name = 0; name < totalRowsMax; name += 1) rowOf(rows, `p${name}`);
  const late = rowOf(rows, 'late');
  expect([...rows.keys()].at(-1)).toBe('(others)');
  expect(rowOf(rows, 'later')).toBe(late);
  expect(rowOf(rows, 'p0')).not.toBe(late);
  expect(rows.size).toBe(totalRowsMax + 1);
});
