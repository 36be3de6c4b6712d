import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { takeDataLock } from './dataLock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const take = (pid: number, alive: readonly number[]) =>
  takeDataLock({
    path: join(folder, 'lock'),
    self: { pid, startTime: 1, bootId: 'b' },
    isAlive: (holder) => Promise.resolve(alive.includes(holder.pid)),
  });

it('is held by one living agent, named in the refusal', async () => {
  const release = await take(1, [1]);
  await expect(take(2, [1, 2])).rejects.toThrow(/held by the agent with pid 1/);
  release();
  await take(2, [1, 2]);
  expect(await readdir(folder)).toEqual(['lock']);
});

it('is taken over from a dead agent, by one of many that try', async () => {
  await take(1, []);
  const tries = await Promise.allSettled([2, 3, 4, 5].map((pid) => take(pid, [2, 3, 4, 5])));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))).toMatchObject({ startTime: 1 });
  expect(await readdir(folder)).toEqual(['lock']);
});
