import fc from 'fast-check';
import { expect } from 'vitest';
import { epoch, revision } from '#vocabulary/ids.ts';
import { type Store, StoreError } from '#controller/ports/store.ts';
import type { StorePlace } from './storePlace.ts';

/** What a store should be: a plain array, of which the front may be gone. */
interface Model {
  readonly lines: string[];
  epoch: number;
  /** Newest first, at most two. */
  snapshots: { readonly revision: number; readonly body: string }[];
}

/** The store under test; `reopen` replaces it. */
interface Real {
  readonly place: StorePlace;
  store: Store;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Any sequence of calls, also wrong ones, has the same answers from the store and from the model. A failing seed is a whole report. */
export async function runStoreProperty(newPlace: () => Promise<StorePlace>, histories: number): Promise<void> {
  const runs = fc.asyncProperty(fc.commands(anyCommand, { maxCommands: 40 }), async (commands) => {
    const place = await newPlace();
    const real: Real = { place, store: await place.open() };
    try {
      await fc.asyncModelRun(() => ({ model: { lines: [], epoch: 0, snapshots: [] }, real }), commands);
    } finally {
      await real.store.close();
      await place.dispose();
    }
  });
  await fc.assert(runs, { numRuns: histories });
}

const anyLine = fc.string({ unit: 'grapheme', maxLength: 40 });

const anyCommand = [
  fc.record({ lines: fc.array(anyLine, { minLength: 1, maxLength: 5 }), grows: fc.boolean() }).map(appendCommand),
  fc.record({ offBy: fc.constantFrom(-2, -1, 1), olderBy: fc.constantFrom(0, 1) }).map(staleCommand),
  fc.record({ back: fc.nat(6), body: anyLine }).map(snapshotCommand),
  fc.record({ back: fc.nat(8), limit: fc.integer({ min: 1, max: 6 }) }).map(readCommand),
  fc.constant(reopenCommand()),
];

function appendCommand({ lines, grows }: { readonly lines: readonly string[]; readonly grows: boolean }): Command {
  return command(`append ${JSON.stringify(lines)}${grows ? ' as a new leader' : ''}`, async (model, real) => {
    const by = model.epoch + (grows ? 1 : 0);
    await real.store.append({ after: revision(model.lines.length), epoch: epoch(by), lines });
    model.lines.push(...lines);
    model.epoch = by;
  });
}

function staleCommand({ offBy, olderBy }: { readonly offBy: number; readonly olderBy: number }): Command {
  return command(`append off by ${offBy}, epoch older by ${olderBy}`, async (model, real) => {
    const after = revision(model.lines.length + offBy);
    const refused = real.store.append({ after, epoch: epoch(model.epoch - olderBy), lines: ['stale'] });
    expect(await codeOf(refused)).toBe('conflict');
  });
}

function snapshotCommand({ back, body }: { readonly back: number; readonly body: string }): Command {
  return command(`snapshot ${back} lines before the end`, async (model, real) => {
    const at = Math.max(0, model.lines.length - back);
    await real.store.saveSnapshot({ revision: revision(at), body });
    const others = model.snapshots.filter((kept) => kept.revision !== at);
    model.snapshots = [...others, { revision: at, body }].toSorted((left, right) => right.revision - left.revision).slice(0, 2);
  });
}

function readCommand({ back, limit }: { readonly back: number; readonly limit: number }): Command {
  return command(`read ${limit} from ${back} lines before the end`, async (model, real) => {
    const after = Math.max(0, model.lines.length - back);
    const read = real.store.read(revision(after), limit);
    if (after < (model.snapshots[1]?.revision ?? 0)) {
      expect(await codeOf(read)).toBe('corrupt');
      return;
    }
    const want = model.lines.slice(after, after + limit).map((line, index) => ({ revision: after + 1 + index, line }));
    expect(await read).toEqual(want);
  });
}

function reopenCommand(): Command {
  return command('reopen', async (_model, real) => {
    await real.store.close();
    real.store = await real.place.open();
  });
}

/** Every command ends with a look at the head and the newest snapshot. */
function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      expect(await real.store.head()).toEqual({ revision: model.lines.length, epoch: model.epoch });
      expect(await real.store.loadSnapshot()).toEqual(model.snapshots[0] ?? null);
    },
    toString: () => name,
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );
}
