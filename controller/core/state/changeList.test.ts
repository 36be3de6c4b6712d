import { expect, test } from 'vitest';
import { ChangeList } from './changeList.ts';

test('a reader gets what was noted after its position, in order', () => {
  const list = new ChangeList<string>(10);
  list.note('a');
  const read = list.end;
  list.note('b');
  list.note('a');
  expect(list.since(read)).toEqual(['b', 'a']);
  expect(list.since(list.end)).toEqual([]);
});

test('a reader that comes too late is told so, and one that kept up is not', () => {
  const list = new ChangeList<number>(3);
  const late = list.end;
  for (const change of [1, 2, 3]) list.note(change);
  expect(list.since(late)).toEqual([1, 2, 3]);
  const inTime = list.end;
  list.note(4);
  expect(list.since(late)).toBeNull();
  expect(list.since(inTime)).toEqual([4]);
  expect(list.end).toBe(4);
});
