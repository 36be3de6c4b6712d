import { afterEach, describe, expect, test } from 'vitest';
import { openMemoryStore } from '#controller/adapters/memory/memoryStore.ts';
import { settled } from '#controller/testing/manualClock.ts';
import type { RunningLoop, RunOptions } from '#controller/testing/runLoop.ts';
import { runLoop } from '#controller/testing/runLoop.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { jobName, revision } from '#vocabulary/ids.ts';
import { recover } from './recover.ts';

const open: RunningLoop[] = [];
afterEach(async () => {
  for (const { stop } of open.splice(0)) await stop();
});

async function run(options: RunOptions = {}): Promise<RunningLoop> {
  const running = await runLoop(options);
  open.push(running);
  return running;
}

/** What a promise has come to by now; it is never left without a handler. */
async function seen(promise: Promise<unknown>): Promise<unknown> {
  const nothingYet = settled().then(() => 'nothing yet');
  return Promise.race([promise, nothingYet]).catch((error: unknown) =>
    error instanceof Error ? `${error.name}: ${error.message}` : error,
  );
}

const jobsOf = ({ loop }: RunningLoop): Promise<readonly string[]> => loop.read((state) => [...state.jobsByName.keys()]);
const lines = async ({ disk }: RunningLoop): Promise<readonly string[]> =>
  (await (await openMemoryStore(disk)).read(revision(0), 10_000)).map(({ line }) => line);

describe('nothing is told before it is durable', () => {
  test('an offer is answered when its events are in the store, not before', async () => {
    const running = await run();
    await running.loop.offer(applyQueue('default'));
    const release = running.disk.hold();
    const offered = running.loop.offer(applyJob('a'));
    expect(await seen(offered)).toBe('nothing yet');
    release();
    expect(await offered).toEqual({ kind: 'applied', outcome: 'created', uid: 'uid-a' });
    expect((await lines(running)).some((line) => line.includes('"JobCreated"'))).toBe(true);
  });

  test('a read that could see an undurable batch waits for it', async () => {
    const running = await run();
    await running.loop.offer(applyQueue('default'));
    const release = running.disk.hold();
    const offered = running.loop.offer(applyJob('a'));
    await settled();
    let looked = false;
    const read = running.loop.read((state) => {
      looked = true;
      return [...state.jobsByName.keys()];
    });
    expect(await seen(read)).toBe('nothing yet');
    // What looks may also act (push to an agent): it must not even see the batch.
    expect(looked).toBe(false);
    release();
    expect(await read).toEqual(['a']);
    await offered;
  });

  test('listeners hear of a batch after it is durable, with exactly its state', async () => {
    const running = await run();
    const heard: string[] = [];
    running.loop.onCommit((state, events) => heard.push(`${state.revision}: ${events.map((event) => event.kind).join(' ')}`));
    const release = running.disk.hold();
    const offered = running.loop.offer(applyQueue('default'));
    await settled();
    expect(heard).toEqual([]);
    release();
    await offered;
    expect(heard).toEqual(['3: QueueApplied']);
  });

  test('a listener knows of a batch before any reader sees it', async () => {
    const running = await run();
    const release = running.disk.hold();
    let told = 0;
    running.loop.onCommit((state) => {
      told = state.revision;
    });
    const offered = running.loop.offer(applyQueue('default'));
    await settled();
    const read = running.loop.read((state) => ({ state: Number(state.revision), told }));
    release();
    await offered;
    expect(await read).toEqual({ state: 3, told: 3 });
  });

  test('a listener that left hears nothing more', async () => {
    const running = await run();
    let heard = 0;
    const leave = running.loop.onCommit(() => {
      heard += 1;
    });
    await running.loop.offer(applyQueue('a'));
    leave();
    await running.loop.offer(applyQueue('b'));
    expect(heard).toBe(1);
  });
});

describe('group commit', () => {
  test('what arrives while one append is under way becomes one append', async () => {
    const running = await run();
    await running.loop.offer(applyQueue('default'));
    const batches: number[] = [];
    running.loop.onCommit((_state, events) => batches.push(events.length));
    const release = running.disk.hold();
    const first = running.loop.offer(applyJob('first'));
    await settled();
    const others = ['a', 'b', 'c', 'd'].map((name) => running.loop.offer(applyJob(name)));
    await settled();
    release();
    await Promise.all([first, ...others]);
    expect(batches).toEqual([1, 4]);
  });

  test('a batch is bounded; the rest comes right after it', async () => {
    const running = await run({ batchMax: 3 });
    await running.loop.offer(applyQueue('default'));
    const batches: number[] = [];
    running.loop.onCommit((_state, events) => batches.push(events.length));
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await Promise.all(names.map((name) => running.loop.offer(applyJob(name))));
    expect(batches).toEqual([3, 3, 1]);
    expect(await jobsOf(running)).toEqual(names);
  });

  test('each caller gets the answer to its own request, in a batch with refused ones', async () => {
    const running = await run();
    const replies = await Promise.all([
      running.loop.offer(applyJob('lost', {})),
      running.loop.offer(applyQueue('default')),
      running.loop.offer(applyJob('found')),
    ]);
    expect(replies.map((reply) => (reply.kind === 'refused' ? reply.code : reply.kind))).toEqual([
      'INVALID_ARGUMENT',
      'applied',
      'applied',
    ]);
  });

  test('a batch that changes nothing writes nothing', async () => {
    const running = await run();
    const before = (await lines(running)).length;
    expect(await running.loop.offer({ kind: 'tick' })).toEqual({ kind: 'noted' });
    expect((await lines(running)).length).toBe(before);
  });
});

describe('time', () => {
  test('never goes back in the log, though the machine’s clock does', async () => {
    const running = await run();
    await running.loop.offer(applyQueue('default'));
    running.clock.nowMs = () => 5;
    await running.loop.offer(applyJob('a'));
    const stamps = await running.loop.read((state) => [...state.queues.values(), ...state.jobs.values()].map((one) => one.createdAtMs));
    expect(stamps[1]).toBe(stamps[0]);
  });
});

describe('the end', () => {
  test('finishes the batch under way, refuses the rest, and says why', async () => {
    const running = await runLoop();
    await running.loop.offer(applyQueue('default'));
    const release = running.disk.hold();
    const underWay = running.loop.offer(applyJob('a'));
    await settled();
    const late = running.loop.offer(applyJob('b'));
    late.catch(() => undefined);
    const stopped = running.stop();
    release();
    await stopped;
    expect(await underWay).toMatchObject({ outcome: 'created' });
    await expect(late).rejects.toMatchObject({ why: 'closed', message: 'the controller is stopping' });
    await expect(running.loop.offer(applyJob('c'))).rejects.toMatchObject({ why: 'closed' });
  });

  test('comes at once when nothing is to be done', async () => {
    const running = await runLoop();
    await running.stop();
    expect(running.clock.timers).toBe(0);
  });
});

describe('recovery', () => {
  test('from a snapshot and the log behind it gives what the log alone gives', async () => {
    const withSnapshots = await run({ snapshotEvery: 4 });
    const plain = await run();
    for (const running of [withSnapshots, plain]) {
      await running.loop.offer(applyQueue('default'));
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await running.loop.offer(applyJob(name));
      await running.stop();
    }
    const snapshot = await (await openMemoryStore(withSnapshots.disk)).loadSnapshot();
    expect(snapshot?.revision).toBeGreaterThan(0);
    const [fromSnapshot, fromLog] = await Promise.all(
      [withSnapshots, plain].map(async ({ disk }) => JSON.stringify((await recover(await openMemoryStore(disk), 100)).pending)),
    );
    expect(fromSnapshot).toBe(fromLog);
    const live = await withSnapshots.loop.read((state) => printSnapshot(state));
    expect(printSnapshot(await recover(await openMemoryStore(withSnapshots.disk), 10_000))).toBe(live);
  });

  test('a new leader has the next epoch, and the same cluster', async () => {
    const first = await run();
    const before = await first.loop.read(({ clusterId, epoch }) => ({ clusterId, epoch: Number(epoch) }));
    expect(before.epoch).toBe(1);
    await first.stop();
    const second = await run({ disk: first.disk });
    expect(await second.loop.read(({ clusterId, epoch }) => ({ clusterId, epoch: Number(epoch) }))).toEqual({ ...before, epoch: 2 });
  });

  test('has everything that was acknowledged before a crash, and nothing of the rest', async () => {
    const first = await runLoop();
    await first.loop.offer(applyQueue('default'));
    await first.loop.offer(applyJob('kept'));
    first.disk.hold();
    const lost = first.loop.offer(applyJob('lost'));
    lost.catch(() => undefined);
    await settled();
    first.disk.crash();
    const second = await run({ disk: first.disk });
    expect(await jobsOf(second)).toEqual(['kept']);
    expect(await second.loop.read((state) => state.jobsByName.has(jobName('lost')))).toBe(false);
    await first.clock.pass(1);
    await first.ended.catch(() => undefined);
  });

  test('a snapshot that cannot be saved is only told of', async () => {
    const running = await run({ snapshotEvery: 1 });
    running.loop.onCommit(() => running.disk.failNext('full'));
    await running.loop.offer(applyQueue('default'));
    await settled();
    expect(running.said).toEqual(['warn snapshot not saved: the memory store was told to be full']);
    expect(await running.loop.read((state) => state.queues.size)).toBe(1);
  });
});
