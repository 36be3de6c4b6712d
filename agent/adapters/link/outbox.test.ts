import { describe, expect, it } from 'vitest';
import { epoch, generation } from '#vocabulary/ids.ts';
import { createManualClock } from '../../testing/manualClock.ts';
import { Outbox } from './outbox.ts';

const inventory = { address: '', bootId: '', agentVersion: '', path: [], cpuMilli: 0, memoryBytes: 0, os: '', gpus: [] };

/** What was sent, as text, and how to let everything that is due happen. */
function openOutbox() {
  const clock = createManualClock();
  let version = 1;
  const outbox = new Outbox({
    clock,
    gapMs: 20,
    hello: () => ({ inventory, epochSeen: epoch(0), workers: [], gpuHealth: [], labels: {} }),
    report: () => ({ version, generation: generation(0), workers: [], gpuHealth: [], samples: [] }),
  });
  const sent: string[] = [];
  const end = (async () => {
    for await (const message of outbox.messages())
      sent.push(message.kind === 'hello' ? 'hello' : `${message.sequence}:v${message.report.version}`);
  })();
  const settle = async (): Promise<readonly string[]> => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return sent.splice(0);
  };
  const change = (): void => {
    version += 1;
    outbox.changed();
  };
  return { outbox, clock, settle, change, end };
}

describe('the outbox', () => {
  it('says hello, and nothing more before it is welcome', async () => {
    const { outbox, clock, settle, change } = openOutbox();
    change();
    clock.advance(60_000);
    expect(await settle()).toEqual(['hello']);
    outbox.onWelcome(1000);
    expect(await settle()).toEqual(['1:v2']);
  });

  it('sends many changes as one report, after the receipt of the last and not within 20 ms of it', async () => {
    const { outbox, clock, settle, change } = openOutbox();
    outbox.onWelcome(1000);
    expect(await settle()).toEqual(['hello', '1:v1']);
    for (let time = 0; time < 5; time++) change();
    clock.advance(500);
    expect(await settle()).toEqual([]);
    expect(outbox.onReceipt(1)).toBe(1);
    expect(await settle()).toEqual(['2:v6']);
    expect(outbox.onReceipt(2)).toBe(6);
    change();
    clock.advance(19);
    expect(await settle()).toEqual([]);
    clock.advance(1);
    expect(await settle()).toEqual(['3:v7']);
  });

  it('sends a heartbeat without a change and without a receipt', async () => {
    const { outbox, clock, settle } = openOutbox();
    outbox.onWelcome(1000);
    await settle();
    clock.advance(999);
    expect(await settle()).toEqual([]);
    clock.advance(1);
    expect(await settle()).toEqual(['2:v1']);
  });

  it('takes a receipt for all reports before it, and none twice', async () => {
    const { outbox, clock, settle } = openOutbox();
    outbox.onWelcome(1000);
    await settle();
    clock.advance(1000);
    await settle();
    expect(outbox.onReceipt(2)).toBe(1);
    expect(outbox.onReceipt(1)).toBe(null);
  });

  it('ends when it is closed, and waits for no time any more', async () => {
    const { outbox, clock, settle, end } = openOutbox();
    outbox.onWelcome(1000);
    await settle();
    outbox.close();
    await end;
    expect(clock.waiting()).toBe(0);
  });
});
