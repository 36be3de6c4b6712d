import { describe, expect, test } from 'vitest';
import { settled } from '#controller/testing/manualClock.ts';
import { Channel } from './channel.ts';

const never = new AbortController().signal;
const tooMany = (): Error => new Error('too many');

async function take<T>(reader: AsyncIterator<T>): Promise<T | 'the end'> {
  const next = await reader.next();
  return next.done === true ? 'the end' : next.value;
}

describe('a channel', () => {
  test('gives what was written, in order, and ends when it is closed', async () => {
    const channel = new Channel<number>(10);
    channel.offer(1, tooMany);
    await channel.write(2);
    channel.close();
    expect(await Array.fromAsync(channel.read(never))).toEqual([1, 2]);
  });

  test('makes a writer wait while it is full, and lets it go on with each item that is read', async () => {
    const channel = new Channel<number>(2);
    const reader = channel.read(never);
    const done: number[] = [];
    const writing = (async () => {
      for (const item of [1, 2, 3, 4]) {
        await channel.write(item);
        done.push(item);
      }
    })();
    await settled();
    expect(done).toEqual([1]);
    expect(await take(reader)).toBe(1);
    await settled();
    expect(done).toEqual([1, 2]);
    expect([await take(reader), await take(reader), await take(reader)]).toEqual([2, 3, 4]);
    await writing;
    expect(done).toEqual([1, 2, 3, 4]);
    await reader.return(undefined);
  });

  test('tells a writer that its reader has gone, also one that waits', async () => {
    const channel = new Channel<number>(1);
    const reader = channel.read(never);
    await Promise.all([take(reader), channel.write(1)]);
    const waiting = channel.write(2);
    await reader.return(undefined);
    expect(await waiting).toBe(false);
    expect(await channel.write(3)).toBe(false);
  });

  test('ends with the error that it was closed with, after what was written', async () => {
    const channel = new Channel<number>(10);
    channel.offer(1, tooMany);
    channel.close(new Error('the node broke'));
    channel.close(new Error('a second close says nothing'));
    const reader = channel.read(never);
    expect(await take(reader)).toBe(1);
    await expect(reader.next()).rejects.toThrow('the node broke');
  });

  test('that is full fails for who cannot wait, and keeps what it had', async () => {
    const channel = new Channel<number>(2);
    for (const item of [1, 2, 3, 4]) channel.offer(item, tooMany);
    const reader = channel.read(never);
    expect([await take(reader), await take(reader)]).toEqual([1, 2]);
    await expect(reader.next()).rejects.toThrow('too many');
  });

  test('ends when its reader is aborted while it waits', async () => {
    const channel = new Channel<number>(2);
    const abort = new AbortController();
    const next = take(channel.read(abort.signal));
    await settled();
    abort.abort();
    expect(await next).toBe('the end');
  });

  test('ends at once for a reader that was aborted before it began', async () => {
    const channel = new Channel<number>(2);
    const abort = new AbortController();
    abort.abort();
    const ended = await Promise.race([take(channel.read(abort.signal)), settled().then(() => 'still waits')]);
    expect(ended).toBe('the end');
  });
});
