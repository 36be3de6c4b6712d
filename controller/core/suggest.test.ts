import { expect, test } from 'vitest';
import { suggest } from './suggest.ts';

test.each([
  ['reserch', ['default', 'research'], '; did you mean "research"?'],
  ['research', ['training', 'serving'], ''],
  ['a', [], ''],
])('for %s among %j: "%s"', (typed, names, want) => {
  expect(suggest(typed, names)).toBe(want);
});

test('the suggestion does not depend on the order of the names', () => {
  const names = ['team-a', 'team-b', 'team-c'];
  expect(suggest('team-x', names.toReversed())).toBe(suggest('team-x', names));
});
