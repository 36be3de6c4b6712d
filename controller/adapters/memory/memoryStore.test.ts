import { describe, expect, it } from 'vitest';
import { epoch, revision } from '#vocabulary/ids.ts';
import type { Store } from '../../ports/store.ts';
import { MemoryDisk, openMemoryStore } from './memoryStore.ts';

describe('the faults of the memory store', () => {
  it('fails the next writes as told, in order, and changes nothing', async () => {
    const disk = new MemoryDisk();
    const store = await openMemoryStore(disk);
    disk.failNext('full');
    disk.failNext('unavailable');
    await expect(append(store, 0, ['a'])).rejects.toMatchObject({ code: 'full' });
    await expect(append(store, 0, ['a'])).rejects.toMatchObject({ code: 'unavailable' });
    await append(store, 0, ['b']);
    expect(await store.read(revision(0), 10)).toEqual([{ revision: 1, line: 'b' }]);
  });

  it('holds writes until they are let go, without effect meanwhile', async () => {
    const disk = new MemoryDisk();
    const store = await openMemoryStore(disk);
    const letGo = disk.hold();
    const held = append(store, 0, ['a']);
    expect(await headOf(disk)).toBe(0);
    letGo();
    await held;
    expect(await headOf(disk)).toBe(1);
  });

  it('has exactly what was acknowledged after a crash', async () => {
    const disk = new MemoryDisk();
    const store = await openMemoryStore(disk);
    await append(store, 0, ['acknowledged']);
    disk.hold();
    const lost = append(store, 1, ['lost']);
    disk.crash();
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.head()).rejects.toMatchObject({ code: 'unavailable' });
    const next = await openMemoryStore(disk);
    expect(await next.read(revision(0), 10)).toEqual([{ revision: 1, line: 'acknowledged' }]);
    await append(next, 1, ['goes on']);
  });
});

function append(store: Store, after: number, lines: readonly string[]): Promise<void> {
  return store.append({ after: revision(after), epoch: epoch(1), lines });
}

/** As another store on the same disk sees it. */
async function headOf(disk: MemoryDisk): Promise<number> {
  return (await (await openMemoryStore(disk)).head()).revision;
}
