import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import { settled } from '#controller/testing/manualClock.ts';
import type { WatchResponse } from '#gen/shoal/v1/control_pb.js';
import { WatchRequestSchema, WatchResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface WatchedApi extends RunningApi {
  /** What was told since the last look: `ADDED a`. */
  look(): Promise<readonly string[]>;
  readonly failure: Promise<string>;
  readonly abort: AbortController;
}

async function watching(
  request: Parameters<typeof create<typeof WatchRequestSchema>>[1],
  prepare: (api: RunningApi) => Promise<unknown>,
  changesMax = 1_000,
): Promise<WatchedApi> {
  const api = await runApi({ changesMax });
  await prepare(api);
  const abort = new AbortController();
  const told: WatchResponse[] = [];
  const failure = (async () => {
    for await (const response of api.control.watch(create(WatchRequestSchema, request), await api.as(abort.signal)))
      told.push(create(WatchResponseSchema, response));
    return 'ended';
  })().catch(failureOf);
  await settled();
  open.push(async () => {
    abort.abort();
    await failure;
    await api.stop();
  });
  const look = async (): Promise<readonly string[]> => {
    await settled();
    return told.splice(0).map(({ type, object }) => (type === 'BOOKMARK' ? type : `${type} ${object?.name}`));
  };
  return { ...api, look, failure, abort };
}

const jobs =
  (...names: readonly string[]) =>
  async ({ loop }: RunningApi): Promise<void> => {
    for (const name of names) await loop.offer(applyJob(name));
  };
const remove = (name: string) => ({ kind: 'deleteJob' as const, name: jobName(name), user: userName('bob'), now: false });

describe('a watch', () => {
  test('tells everything that is there, then a bookmark, then what changes', async () => {
    const { look, loop } = await watching({ kind: 'TrainingJob' }, jobs('a', 'b'));
    expect(await look()).toEqual(['ADDED a', 'ADDED b', 'BOOKMARK']);
    await loop.offer(applyJob('c'));
    await loop.offer(applyJob('a', { priority: 7 }));
    expect(await look()).toEqual(['ADDED c', 'BOOKMARK', 'MODIFIED a', 'BOOKMARK']);
    await loop.offer(remove('b'));
    expect(await look()).toEqual(['DELETED b', 'BOOKMARK']);
  });

  test('is silent about what is not its own', async () => {
    const { look, loop } = await watching({ kind: 'TrainingJob' }, jobs('a'));
    await look();
    await loop.offer(applyQueue('other'));
    expect(await look()).toEqual([]);
  });

  test('resumes after a revision with what changed since, deleted ones too', async () => {
    const api = await runApi();
    await jobs('a', 'b')(api);
    const after = api.loop.revision;
    await api.loop.offer(applyJob('c'));
    await api.loop.offer(remove('a'));
    const abort = new AbortController();
    const told: string[] = [];
    const reading = (async () => {
      for await (const { type, object } of api.control.watch(
        create(WatchRequestSchema, { kind: 'TrainingJob', afterRevision: BigInt(after) }),
        await api.as(abort.signal),
      )) {
        told.push(`${type} ${object?.name ?? ''}`.trim());
      }
    })();
    await settled();
    expect(told).toEqual(['ADDED c', 'DELETED a', 'BOOKMARK']);
    abort.abort();
    await reading;
    await api.stop();
  });

  test('says that a revision is too old, so that the client lists again', async () => {
    const { failure, loop } = await watching({ kind: 'TrainingJob', afterRevision: 1n }, async () => undefined, 4);
    expect(await failure).toBe('OUT_OF_RANGE: revision 1 is too old to resume from; changes are kept after 2: list again');
    expect(loop.revision).toBeGreaterThan(2);
  });

  test('refuses a kind that cannot be watched, and names those that can', async () => {
    const { failure } = await watching({ kind: 'Pod' }, async () => undefined);
    expect(await failure).toBe('INVALID_ARGUMENT: kind: "Pod" is none of TrainingJob, Node, Gpu, Queue, Reservation, Event');
  });

  test('of some labels tells when an object no longer has them', async () => {
    const labelled = (name: string, team: string) => ({ ...applyJob(name), labels: { team } });
    const { look, loop } = await watching({ kind: 'TrainingJob', labelSelector: { team: 'nlp' } }, async (api) => {
      await api.loop.offer(labelled('a', 'nlp'));
      await api.loop.offer(labelled('b', 'vision'));
    });
    expect(await look()).toEqual(['ADDED a', 'BOOKMARK']);
    await loop.offer(labelled('b', 'speech'));
    expect(await look()).toEqual([]);
    await loop.offer(labelled('a', 'vision'));
    expect(await look()).toEqual(['DELETED a', 'BOOKMARK']);
    await loop.offer(labelled('b', 'nlp'));
    expect(await look()).toEqual(['ADDED b', 'BOOKMARK']);
  });

  test('of names tells of no others', async () => {
    const { look, loop } = await watching({ kind: 'TrainingJob', names: ['b'] }, jobs('a', 'b'));
    expect(await look()).toEqual(['ADDED b', 'BOOKMARK']);
    await loop.offer(applyJob('a', { priority: 7 }));
    await loop.offer(remove('b'));
    expect(await look()).toEqual(['DELETED b', 'BOOKMARK']);
  });

  test('of a GPU tells of that one, though its node is what changes', async () => {
    const hello = async ({ loop }: RunningApi): Promise<void> => {
      await loop.offer({ kind: 'hello', hello: new FakeAgent({ name: 'n1', rack: 'r1', gpus: 2 }).hello() });
    };
    const { look, loop } = await watching({ kind: 'Gpu', names: ['n1/1'] }, hello);
    expect(await look()).toEqual(['ADDED n1/1', 'BOOKMARK']);
    await loop.offer(applyJob('a', { gpusPerWorker: 2 }));
    expect(await look()).toEqual(['MODIFIED n1/1', 'BOOKMARK']);
  });

  test('of events tells each once', async () => {
    const { look, loop } = await watching({ kind: 'Event', about: { kind: 'TrainingJob', name: 'b' } }, jobs('a'));
    expect(await look()).toEqual(['BOOKMARK']);
    await loop.offer(applyJob('b'));
    const { revision } = loop;
    expect(await look()).toEqual([`ADDED ${revision}`, 'BOOKMARK']);
    await loop.offer(applyJob('c'));
    expect(await look()).toEqual([]);
  });

  test('that is read slowly tells many changes of an object once, with the newest', async () => {
    const api = await runApi();
    await jobs('a')(api);
    const watch = api.control.watch(create(WatchRequestSchema, { kind: 'TrainingJob' }), api.alice)[Symbol.asyncIterator]();
    await watch.next();
    await watch.next();
    for (const priority of [1, 2, 3, 4, 5]) await api.loop.offer(applyJob('a', { priority }));
    const next = await watch.next();
    const changed = next.done === true ? undefined : create(WatchResponseSchema, next.value);
    expect(changed?.resource?.object.case === 'trainingJob' && changed.resource.object.value.spec?.priority).toBe(5);
    const bookmark = await watch.next();
    expect(bookmark.done === true ? '' : bookmark.value.type).toBe('BOOKMARK');
    await watch.return?.(undefined);
    await api.stop();
  });

  test('loses no change that is committed while it looks', async () => {
    const { look, loop, disk } = await watching({ kind: 'TrainingJob' }, jobs('a'));
    await look();
    for (let round = 0; round < 20; round += 1) {
      const release = disk.hold();
      const offers = [loop.offer(applyJob(`x${round}`)), loop.offer(applyQueue(`q${round}`))];
      await settled();
      offers.push(loop.offer(applyJob(`y${round}`)));
      release();
      await Promise.all(offers);
    }
    const names = (await look()).filter((line) => line !== 'BOOKMARK');
    expect(new Set(names).size).toBe(40);
  });

  test('ends when its reader goes', async () => {
    const { abort, failure, look } = await watching({ kind: 'TrainingJob' }, jobs('a'));
    await look();
    abort.abort();
    expect(await failure).toBe('ended');
  });

  test('tells tables when asked, one row an object', async () => {
    const api = await runApi();
    await jobs('a')(api);
    const watch = api.control.watch(create(WatchRequestSchema, { kind: 'TrainingJob', table: true }), api.alice)[Symbol.asyncIterator]();
    const first = await watch.next();
    const response = first.done === true ? undefined : create(WatchResponseSchema, first.value);
    expect(response?.table?.rows.map((row) => row.cells.slice(0, 3))).toEqual([['a', 'default', 'Pending(NoSuchGpuModel)']]);
    expect(response?.resource).toBeUndefined();
    await watch.return?.(undefined);
    await api.stop();
  });
});
