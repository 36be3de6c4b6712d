import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { makeOutput } from './io.ts';

/** A reader that takes a piece only when told to. */
function slowReader() {
  const taken: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done: () => void) => {
      taken.push(done);
    },
  });
  return { stream, take: () => taken.shift()?.() };
}

const listeners = (stream: Writable): number => stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0);

describe('an output that has to wait for its reader', () => {
  test('listens to nothing more after it waited a hundred times', async () => {
    const { stream, take } = slowReader();
    const output = makeOutput(stream, false);
    const before = listeners(stream);
    for (let turn = 0; turn < 100; turn += 1) {
      output.write('a line\n');
      const drained = output.drained();
      take();
      await drained;
    }
    expect(listeners(stream)).toBe(before);
  });

  test('waits until the reader has caught up, and not when it has', async () => {
    const { stream, take } = slowReader();
    const output = makeOutput(stream, false);
    await output.drained();
    output.write('a line\n');
    const settled = output.drained().then(() => 'drained');
    expect(await Promise.race([settled, Promise.resolve('waits')])).toBe('waits');
    take();
    expect(await settled).toBe('drained');
  });

  test('waits no longer when the reader goes away', async () => {
    const { stream } = slowReader();
    const output = makeOutput(stream, false);
    output.write('a line\n');
    const drained = output.drained();
    stream.destroy();
    await drained;
    output.write('another\n');
    await output.drained();
    expect(listeners(stream)).toBe(0);
  });
});
