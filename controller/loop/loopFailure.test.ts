import { afterEach, describe, expect, test } from 'vitest';
import { openMemoryStore } from '#controller/adapters/memory/memoryStore.ts';
import { settled } from '#controller/testing/manualClock.ts';
import type { RunningLoop, RunOptions } from '#controller/testing/runLoop.ts';
import { probeMs, runLoop } from '#controller/testing/runLoop.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { epoch, jobUid, revision } from '#vocabulary/ids.ts';
import type { ObservedWorker } from '#vocabulary/observed.ts';
import { recover } from './recover.ts';

const open: RunningLoop[] = [];
afterEach(async () => {
  for (const { stop } of open.splice(0)) await stop().catch(() => undefined);
});

/** With a queue and a node of one GPU. */
async function run(options: RunOptions = {}): Promise<RunningLoop> {
  const running = await runLoop(options);
  open.push(running);
  await running.loop.offer(applyQueue('default'));
  await running.loop.offer({ kind: 'hello', hello: new FakeAgent({ name: 'n1', rack: 'r1', gpus: 1 }).hello() });
  return running;
}

const jobsOf = ({ loop }: RunningLoop): Promise<readonly string[]> => loop.read((state) => [...state.jobsByName.keys()]);
const stored = async ({ disk }: RunningLoop): Promise<string> => printSnapshot(await recover(await openMemoryStore(disk), 10_000));

describe('a store that is full', () => {
  test('refuses the request with the reason, and nothing of it is left', async () => {
    const running = await run();
    const before = await stored(running);
    running.disk.failNext('full');
    await expect(running.loop.offer(applyJob('a'))).rejects.toMatchObject({
      why: 'degraded',
      message: 'the store cannot be written: the memory store was told to be full',
    });
    expect(await jobsOf(running)).toEqual([]);
    expect(await stored(running)).toBe(before);
    expect(running.said).toEqual(['error store cannot be written: the memory store was told to be full']);
  });

  test('refuses whatever comes meanwhile at once, and says so to who asks', async () => {
    const running = await run();
    expect(running.loop.degraded).toBeNull();
    running.disk.failNext('full');
    const refused = [applyJob('a'), applyJob('b')].map((input) => running.loop.offer(input).catch((error: unknown) => error));
    await Promise.all(refused);
    expect(running.loop.degraded).toBe('the store cannot be written: the memory store was told to be full');
    await expect(running.loop.offer(applyJob('c'))).rejects.toMatchObject({ why: 'degraded' });
  });

  test('is still read, also while a write is tried', async () => {
    const running = await run();
    await running.loop.offer(applyJob('a'));
    running.disk.failNext('full');
    await running.loop.offer(applyJob('b')).catch(() => undefined);
    expect(await jobsOf(running)).toEqual(['a']);
    const release = running.disk.hold();
    running.disk.failNext('full');
    await running.clock.pass(probeMs);
    const meanwhile = jobsOf(running);
    await settled();
    release();
    expect(await meanwhile).toEqual(['a']);
  });

  test('is tried again, and requests are taken as soon as it has room', async () => {
    const running = await run();
    running.disk.failNext('full');
    await running.loop.offer(applyJob('a')).catch(() => undefined);
    for (const code of ['full', 'unavailable', 'full'] as const) {
      running.disk.failNext(code);
      await running.clock.pass(probeMs);
      expect(running.loop.degraded).not.toBeNull();
    }
    await running.clock.pass(probeMs);
    expect(running.loop.degraded).toBeNull();
    expect(await running.loop.offer(applyJob('a'))).toMatchObject({ outcome: 'created' });
    expect(running.said.at(-1)).toBe('info store can be written again');
    expect(await running.loop.read(printSnapshot)).toBe(await stored(running));
  });

  test('never shows a reader what was lost, whenever it asked', async () => {
    const running = await run();
    const release = running.disk.hold();
    running.disk.failNext('full');
    const offered = running.loop.offer(applyJob('lost')).catch((error: unknown) => error);
    const reads: Promise<readonly string[]>[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      await Promise.resolve();
      reads.push(jobsOf(running));
    }
    await settled();
    reads.push(jobsOf(running));
    release();
    for (let turn = 0; turn < 20; turn += 1) {
      await Promise.resolve();
      reads.push(jobsOf(running));
    }
    await offered;
    await running.clock.pass(probeMs);
    await running.loop.offer(applyJob('a'));
    const shown = await Promise.all(reads);
    expect([...new Set(shown.flat())]).toEqual([]);
  });

  test('does not hold up the end', async () => {
    const running = await run();
    running.disk.failNext('full');
    await running.loop.offer(applyJob('a')).catch(() => undefined);
    await running.stop();
    expect(running.clock.timers).toBe(0);
  });
});

describe('another leader', () => {
  test('ends the loop; what became of the batch is told to be not known', async () => {
    const running = await run();
    const other = await openMemoryStore(running.disk);
    const { revision: last } = await other.head();
    await other.append({ after: last, epoch: epoch(2), lines: ['1 {"kind":"LeaderElected","epoch":2,"version":"other","atMs":1}'] });
    await expect(running.loop.offer(applyJob('a'))).rejects.toMatchObject({ why: 'unknown' });
    await expect(running.ended).rejects.toMatchObject({ code: 'conflict' });
    await expect(running.loop.offer(applyJob('b'))).rejects.toMatchObject({ why: 'closed' });
    await expect(jobsOf(running)).rejects.toMatchObject({ why: 'closed' });
  });
});

describe('a promise that is broken inside a step', () => {
  test('drops that batch only: its callers hear it, the state is as before, and the loop goes on', async () => {
    const running = await run();
    await running.loop.offer(applyJob('a'));
    const before = await stored(running);
    const bad: ObservedWorker = { id: { job: jobUid('uid-a'), attempt: 1, worker: 0 }, state: { kind: 'running' }, ranks: [] };
    Object.defineProperty(bad, 'ranks', {
      get: () => {
        throw new Error('promise broken: by this test');
      },
    });
    const agent = new FakeAgent({ name: 'n1', rack: 'r1', gpus: 1 });
    const report = { ...agent.report(), workers: [bad] };
    const replies = await Promise.allSettled([
      running.loop.offer(applyJob('half')),
      running.loop.offer({ kind: 'report', node: agent.name, report }),
    ]);
    for (const reply of replies) {
      expect(reply).toMatchObject({
        status: 'rejected',
        reason: { why: 'unknown', message: 'an internal check failed; the request was dropped' },
      });
    }
    expect(await jobsOf(running)).toEqual(['a']);
    expect(await stored(running)).toBe(before);
    expect(running.loop.degraded).toBeNull();
    expect(running.said).toEqual(['error step failed: promise broken: by this test']);
    expect(await running.loop.offer(applyJob('next'))).toMatchObject({ outcome: 'created' });
  });
});

describe('a store that cannot be read', () => {
  test('is not guessed at: opening fails', async () => {
    const running = await run();
    await running.stop();
    const store = await openMemoryStore(running.disk);
    const { revision: last } = await store.head();
    await store.append({ after: revision(last), epoch: epoch(9), lines: ['7 {"kind":"JobCreated"}'] });
    await expect(runLoop({ disk: running.disk })).rejects.toMatchObject({ code: 'corrupt' });
  });
});
