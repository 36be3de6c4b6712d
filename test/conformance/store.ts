import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epoch, revision } from '#vocabulary/ids.ts';
import { type Store, StoreError, type StoreErrorCode } from '#controller/ports/store.ts';
import { runStoreProperty } from './storeModel.ts';
import type { StorePlace } from './storePlace.ts';

export interface StoreUnderTest {
  /** Gives an empty place of its own to each test. */
  readonly newPlace: () => Promise<StorePlace>;
  /** Random histories to try. Each opens the store some five times: few where that starts a thread. */
  readonly histories: number;
}

/** What every adapter of the `Store` port must do. */
export function storeConformance(name: string, { newPlace, histories }: StoreUnderTest): void {
  describe(`${name} keeps the promises of a store`, () => {
    let place: StorePlace;
    let opened: Store[] = [];
    const open = async (): Promise<Store> => {
      const store = await place.open();
      opened.push(store);
      return store;
    };
    beforeEach(async () => {
      place = await newPlace();
    });
    afterEach(async () => {
      for (const store of opened) await store.close();
      opened = [];
      await place.dispose();
    });

    describe('appending and reading', () => checkLines(open));
    describe('two leaders', () => checkFencing(open));
    describe('snapshots', () => checkSnapshots(open));

    it('does what a plain array does, for any order of calls', { timeout: 60_000 }, () => runStoreProperty(newPlace, histories));
  });
}

type Open = () => Promise<Store>;

function checkLines(open: Open): void {
  it('is empty at first', async () => {
    const store = await open();
    expect(await store.head()).toEqual({ revision: 0, epoch: 0 });
    expect(await store.read(revision(0), 10)).toEqual([]);
    expect(await store.loadSnapshot()).toBeNull();
  });

  it('numbers lines from 1, without gaps, over appends', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b']);
    await append(store, 2, ['c'], 7);
    expect(await readAll(store, 0)).toEqual(['1 a', '2 b', '3 c']);
    expect(await store.head()).toEqual({ revision: 3, epoch: 7 });
  });

  it('reads after a revision, at most the limit', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b', 'c', 'd']);
    expect(await readAll(store, 1, 2)).toEqual(['2 b', '3 c']);
    expect(await readAll(store, 3, 2)).toEqual(['4 d']);
    expect(await readAll(store, 4, 2)).toEqual([]);
    expect(await readAll(store, 9, 2)).toEqual([]);
  });

  it('has everything when it is opened again', async () => {
    const first = await open();
    await append(first, 0, ['a', 'b'], 3);
    await first.saveSnapshot({ revision: revision(1), body: 'state' });
    await first.close();
    const second = await open();
    expect(await readAll(second, 0)).toEqual(['1 a', '2 b']);
    expect(await second.head()).toEqual({ revision: 2, epoch: 3 });
    expect(await second.loadSnapshot()).toEqual({ revision: 1, body: 'state' });
  });

  it('carries out concurrent calls in the order in which they were made', async () => {
    const store = await open();
    const batches = Array.from({ length: 50 }, (_, index) => index);
    const appends = batches.map((index) => append(store, index * 2, [`${index} first`, `${index} second`]));
    const headOnTheWay = store.head();
    await Promise.all(appends);
    expect((await headOnTheWay).revision).toBe(100);
    expect(await readAll(store, 0)).toEqual(
      batches.flatMap((index) => [`${index * 2 + 1} ${index} first`, `${index * 2 + 2} ${index} second`]),
    );
  });

  it('keeps any well-formed text as it is', async () => {
    const lines = [
      '',
      ' ',
      '"',
      '\n\r\t',
      '\u0000inside\u0000',
      'žluťoučký',
      '日本語',
      '🐟🐠',
      '\uFEFF',
      'a\u0301',
      "'; DROP TABLE lines; --",
    ];
    const store = await open();
    await append(store, 0, lines);
    expect((await store.read(revision(0), 100)).map(({ line }) => line)).toEqual(lines);
  });

  it('keeps a line of 1 MiB', async () => {
    const line = 'x🐟'.repeat(220_000);
    const store = await open();
    await append(store, 0, [line, 'after']);
    expect((await store.read(revision(0), 2)).map((stored) => stored.line === line)).toEqual([true, false]);
  });

  it('refuses an append without lines and text that would not read back', async () => {
    const store = await open();
    await expect(append(store, 0, [])).rejects.toThrow('at least one line');
    await expect(append(store, 0, ['good', '\ud800'])).rejects.toThrow('well-formed');
    expect(await readAll(store, 0)).toEqual([]);
  });

  it('says that it is closed', async () => {
    const store = await open();
    await store.close();
    await store.close();
    await expectCode(append(store, 0, ['a']), 'unavailable');
    await expectCode(store.head(), 'unavailable');
  });

  it('finishes what was asked before it closes', async () => {
    const store = await open();
    const appended = append(store, 0, ['a']);
    await store.close();
    await appended;
    expect(await readAll(await open(), 0)).toEqual(['1 a']);
  });
}

function checkFencing(open: Open): void {
  it('refuses an append after a revision that is not the last, and changes nothing', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b']);
    for (const after of [0, 1, 3]) await expectCode(append(store, after, ['x', 'y']), 'conflict');
    expect(await readAll(store, 0)).toEqual(['1 a', '2 b']);
    await append(store, 2, ['c']);
    expect(await readAll(store, 2)).toEqual(['3 c']);
  });

  it('refuses an older epoch, also when it names the last revision', async () => {
    const store = await open();
    await append(store, 0, ['a'], 5);
    await expectCode(append(store, 1, ['x'], 4), 'conflict');
    expect(await store.head()).toEqual({ revision: 1, epoch: 5 });
    await append(store, 1, ['b'], 5);
    await append(store, 2, ['c'], 6);
    expect(await store.head()).toEqual({ revision: 3, epoch: 6 });
  });

  it('lets one of two leaders win each revision', async () => {
    const one = await open();
    const two = await open();
    const outcomes = await Promise.allSettled([append(one, 0, ['one'], 1), append(two, 0, ['two'], 1)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const winner = outcomes[0].status === 'fulfilled' ? 'one' : 'two';
    expect(await readAll(one, 0)).toEqual([`1 ${winner}`]);
    expect(await readAll(two, 0)).toEqual([`1 ${winner}`]);
  });

  it('makes a deposed leader stop even when it was faster', async () => {
    const old = await open();
    await append(old, 0, ['a'], 1);
    const fresh = await open();
    await append(fresh, 1, ['b'], 2);
    await expectCode(append(old, 2, ['x'], 1), 'conflict');
    expect(await readAll(fresh, 0)).toEqual(['1 a', '2 b']);
  });
}

function checkSnapshots(open: Open): void {
  it('gives the newest', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b']);
    await store.saveSnapshot({ revision: revision(1), body: 'one' });
    await store.saveSnapshot({ revision: revision(2), body: 'two 🐟' });
    expect(await store.loadSnapshot()).toEqual({ revision: 2, body: 'two 🐟' });
  });

  it('keeps every line while there is one snapshot', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b']);
    await store.saveSnapshot({ revision: revision(2), body: 'two' });
    expect(await readAll(store, 0)).toEqual(['1 a', '2 b']);
  });

  it('drops the lines that both kept snapshots contain, and says so', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b', 'c', 'd', 'e']);
    for (const at of [1, 2, 4]) await store.saveSnapshot({ revision: revision(at), body: `state ${at}` });
    expect(await readAll(store, 2)).toEqual(['3 c', '4 d', '5 e']);
    await expectCode(store.read(revision(1), 10), 'corrupt');
    await append(store, 5, ['f']);
    expect(await readAll(store, 4)).toEqual(['5 e', '6 f']);
  });

  it('replaces a snapshot of the same revision', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b']);
    await store.saveSnapshot({ revision: revision(2), body: 'first' });
    await store.saveSnapshot({ revision: revision(2), body: 'second' });
    expect(await store.loadSnapshot()).toEqual({ revision: 2, body: 'second' });
    expect(await readAll(store, 0)).toEqual(['1 a', '2 b']);
  });

  it('does not go back: a snapshot older than both kept ones changes nothing', async () => {
    const store = await open();
    await append(store, 0, ['a', 'b', 'c']);
    for (const at of [2, 3, 1]) await store.saveSnapshot({ revision: revision(at), body: `state ${at}` });
    expect(await store.loadSnapshot()).toEqual({ revision: 3, body: 'state 3' });
    expect(await readAll(store, 2)).toEqual(['3 c']);
  });

  it('refuses a snapshot of lines that it does not have', async () => {
    const store = await open();
    await append(store, 0, ['a']);
    await expectCode(store.saveSnapshot({ revision: revision(2), body: 'ahead' }), 'conflict');
    expect(await store.loadSnapshot()).toBeNull();
  });

  it('keeps a body of 20 MB', { timeout: 20_000 }, async () => {
    const body = 'šhoal 🐟 '.repeat(2_000_000);
    const store = await open();
    await append(store, 0, ['a']);
    await store.saveSnapshot({ revision: revision(1), body });
    await store.close();
    const loaded = await (await open()).loadSnapshot();
    expect(loaded?.body === body).toBe(true);
  });
}

function append(store: Store, after: number, lines: readonly string[], by = 1): Promise<void> {
  return store.append({ after: revision(after), epoch: epoch(by), lines });
}

/** Each line as "revision text". */
async function readAll(store: Store, after: number, limit = 1_000): Promise<string[]> {
  return (await store.read(revision(after), limit)).map((stored) => `${stored.revision} ${stored.line}`);
}

async function expectCode(work: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({ code });
}
