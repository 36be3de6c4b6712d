import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epoch, generation, jobUid } from '#vocabulary/ids.ts';
import type { JournalEntry } from '../../core/journalEntry.ts';
import { JournalDamaged, openFileJournal } from './fileJournal.ts';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-journal-'));
  path = join(folder, 'journal');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const seen = (number: number): JournalEntry => ({ kind: 'seen', seen: { epoch: epoch(1), generation: generation(number) } });
const forgotten: JournalEntry = { kind: 'forgotten', key: `${jobUid('ü')}/1/0` };

async function readAll(): Promise<readonly JournalEntry[]> {
  const journal = await openFileJournal(path);
  const entries = await journal.read();
  await journal.close();
  return entries;
}

async function write(batches: readonly (readonly JournalEntry[])[]): Promise<void> {
  const journal = await openFileJournal(path);
  for (const batch of batches) await journal.append(batch);
  await journal.close();
}

describe('the journal', () => {
  it('gives back what was appended, in order, over several openings', async () => {
    await write([[seen(1), forgotten], [seen(2)]]);
    await write([[seen(3)]]);
    expect(await readAll()).toEqual([seen(1), forgotten, seen(2), seen(3)]);
  });

  it('cut off at any byte keeps every whole entry, drops the rest, and can be appended to', async () => {
    await write([[seen(1)], [forgotten], [seen(2)]]);
    const whole = await readFile(path);
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const wholeLines = Math.max(0, whole.subarray(0, length).toString('latin1').split('\n').length - 2);
      expect(await readAll(), `cut at ${length}`).toEqual([seen(1), forgotten, seen(2)].slice(0, wholeLines));
      await write([[seen(9)]]);
      expect(await readAll(), `appended after a cut at ${length}`).toEqual([
        ...[seen(1), forgotten, seen(2)].slice(0, wholeLines),
        seen(9),
      ]);
    }
  });

  it('refuses every changed byte of a line that is whole, and says what to do', async () => {
    await write([[seen(1)], [seen(2)]]);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(path, damaged);
      // The last line's end is gone then: nothing distinguishes it from a torn write.
      if (at === whole.length - 1) expect(await readAll()).toEqual([seen(1)]);
      else await expect(readAll(), `byte ${at}`).rejects.toThrow(JournalDamaged);
    }
    await expect(writeFile(path, `not a journal\n`).then(readAll)).rejects.toThrow(/Drain this node/);
  });

  it('takes a tail of zeros, as a loss of power leaves it, for a torn write', async () => {
    await write([[seen(1)]]);
    await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(100)]));
    expect(await readAll()).toEqual([seen(1)]);
  });

  it('is short after rewriting, and what is appended then follows', async () => {
    const journal = await openFileJournal(path);
    for (let number = 0; number < 50; number++) await journal.append([seen(number)]);
    const before = journal.sizeBytes();
    await journal.rewrite([seen(49)]);
    expect(journal.sizeBytes()).toBeLessThan(before / 10);
    await journal.append([forgotten]);
    await journal.close();
    expect(await readAll()).toEqual([seen(49), forgotten]);
  });

  it('is not disturbed by what a rewriting that was cut off has left', async () => {
    await write([[seen(1)]]);
    await writeFile(`${path}.new`, 'half');
    const journal = await openFileJournal(path);
    await journal.rewrite([seen(2)]);
    await journal.close();
    expect(await readAll()).toEqual([seen(2)]);
  });
});
