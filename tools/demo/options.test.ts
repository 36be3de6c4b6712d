import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';

test('without words the demo runs as the manifest says and leaves nothing', () => {
  expect(parseOptions([])).toEqual({ kind: 'run', options: { keep: false, steps: null } });
});

test('keep and steps are taken', () => {
  expect(parseOptions(['--keep', '--steps', '80'])).toEqual({ kind: 'run', options: { keep: true, steps: 80 } });
});

test.each([['59'], ['a'], ['80.5']])('--steps %s is refused with what is wanted', (steps) => {
  expect(parseOptions(['--steps', steps])).toEqual({ kind: 'wrong', message: `--steps ${steps}: a whole number of at least 60 is wanted` });
});

test('an unknown flag is named', () => {
  const parsed = parseOptions(['--kep']);
  expect(parsed.kind === 'wrong' && parsed.message).toContain("'--kep'");
});

test('only the folder of a demo can be ended', () => {
  expect(parseOptions(['--end', import.meta.dirname])).toEqual({
    kind: 'wrong',
    message: `--end ${import.meta.dirname}: not the folder of a demo`,
  });
});
