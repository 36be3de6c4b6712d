import { expect, test } from 'vitest';
import { makeScreen, type Block } from './screen.ts';

function recorder(isTTY: boolean): { readonly isTTY: boolean; readonly columns: number; text: string; write(text: string): void } {
  return {
    isTTY,
    columns: 40,
    text: '',
    write(text) {
      this.text += text;
    },
  };
}

const block = (step: number): Block => ({ lines: ['', `step ${step}`], summary: `now at step ${step}` });

test('on a terminal the block is drawn over itself and lines go above it', () => {
  const out = recorder(true);
  const screen = makeScreen(out, () => 0);
  screen.show(block(1));
  screen.show(block(2));
  screen.say('a checkpoint');
  const up = '\x1b[2A\x1b[J';
  expect(out.text).toBe(`\nstep 1\n${up}\nstep 2\n${up}a checkpoint\n\nstep 2\n`);
});

test('a settled block stays and what follows is written below it', () => {
  const out = recorder(true);
  const screen = makeScreen(out, () => 0);
  screen.show(block(1));
  screen.settle();
  screen.say('done');
  expect(out.text).toBe('\nstep 1\ndone\n');
});

test('a line of the block never wraps', () => {
  const out = recorder(true);
  makeScreen(out, () => 0).show({ lines: ['x'.repeat(100)], summary: '' });
  expect(out.text).toBe(`${'x'.repeat(39)}\n`);
});

test('without a terminal there are plain lines, one each five seconds, and only when something changed', () => {
  const out = recorder(false);
  let nowMs = 0;
  const screen = makeScreen(out, () => nowMs);
  for (const [ms, step] of [
    [0, 1],
    [400, 2],
    [5400, 3],
    [10_800, 3],
    [11_200, 4],
  ] as const) {
    nowMs = ms;
    screen.show(block(step));
  }
  expect(out.text).toBe('now at step 1\nnow at step 3\nnow at step 4\n');
});
