import { expect, test } from 'vitest';
import { fuzzWords, runWords } from './words.ts';

test('the simulator gets the flags in its own words, and the file behind them', () => {
  expect(runWords('-x.yaml', { output: 'json', trace: true })).toEqual(['--output', 'json', '--trace', '--', '-x.yaml']);
  expect(runWords('x.yaml', {})).toEqual(['--output', 'text', '--', 'x.yaml']);
});

test('the flags of a search are handed on as they are, for the simulator to judge', () => {
  expect(fuzzWords({ from: '-1', out: 'x.yaml' })).toEqual(['--from=-1', '--out=x.yaml']);
  expect(fuzzWords({})).toEqual([]);
});
