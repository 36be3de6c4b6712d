import { describe, expect, test } from 'vitest';
import { settled } from '#controller/testing/manualClock.ts';
import { Inbox, NotTaken } from './inbox.ts';

const tick = { kind: 'tick' } as const;

describe('the inbox', () => {
  test('hands out entries oldest first, at most as many as are wanted', async () => {
    const inbox = new Inbox(10);
    const offers = [1, 2, 3].map(() => inbox.offer(tick));
    const first = inbox.take(2);
    expect([first.length, inbox.size, inbox.take(2).length, inbox.take(2).length]).toEqual([2, 1, 1, 0]);
    for (const entry of first) entry.settle({ kind: 'noted' });
    expect(await Promise.all(offers.slice(0, 2))).toEqual([{ kind: 'noted' }, { kind: 'noted' }]);
  });

  test('refuses at once when it is full, and takes again when there is room', async () => {
    const inbox = new Inbox(2);
    const kept = [inbox.offer(tick), inbox.offer(tick)];
    await expect(inbox.offer(tick)).rejects.toMatchObject({ why: 'full', message: '2 requests are waiting already; try again' });
    const [entry] = inbox.take(1);
    entry?.settle({ kind: 'noted' });
    expect(await kept[0]).toEqual({ kind: 'noted' });
    const taken = inbox.offer(tick);
    expect(inbox.size).toBe(2);
    for (const rest of inbox.take(2)) rest.settle({ kind: 'noted' });
    expect(await taken).toEqual({ kind: 'noted' });
  });

  test('wakes who waits when something comes, and at once when something is there', async () => {
    const inbox = new Inbox(2);
    let woken = 0;
    const wait = (): void => void inbox.wait().then(() => (woken += 1));
    wait();
    await settled();
    expect(woken).toBe(0);
    inbox.offer(tick).catch(() => undefined);
    await settled();
    expect(woken).toBe(1);
    wait();
    await settled();
    expect(woken).toBe(2);
    inbox.take(1);
    wait();
    inbox.wake();
    await settled();
    expect(woken).toBe(3);
  });

  test('that refuses fails what waits too, until it is opened again', async () => {
    const inbox = new Inbox(2);
    const waiting = inbox.offer(tick);
    const refusal = new NotTaken('degraded', 'the disk is full');
    inbox.refuse(refusal);
    await expect(waiting).rejects.toBe(refusal);
    await expect(inbox.offer(tick)).rejects.toBe(refusal);
    expect([inbox.size, inbox.refusal]).toEqual([0, refusal]);
    inbox.reopen();
    expect(inbox.refusal).toBeNull();
    const taken = inbox.offer(tick);
    inbox.take(1)[0]?.settle({ kind: 'noted' });
    expect(await taken).toEqual({ kind: 'noted' });
  });
});
