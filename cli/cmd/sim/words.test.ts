import { expect, test } from 'vitest';
import { runWords } from './words.ts';

test('the simulator gets the flags in its own words, and the file behind them', () => {
  expect(runWords('-x.yaml', { output: 'json', trace: true })).toEqual(['--output', 'json', '--trace', '--', '-x.yaml']);
  expect(runWords('x.yaml', {})).toEqual(['--output', 'text', '--', 'x.yaml']);
});
