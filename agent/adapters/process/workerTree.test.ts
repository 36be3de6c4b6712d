import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WorkerId } from '#vocabulary/job.ts';
import { freshWorker, rankStart } from '#test/conformance/runtime.ts';
import { openProcessGround, type ProcessGround, until, untilThere } from '#test/conformance/runtimeProcessGround.ts';
import type { ProcessRuntime } from './processRuntime.ts';
import { openProcessTable, type ProcessTable, psProcessTable } from './processTable.ts';

/** Children, a child in a session of its own whose parent is gone, and one in a group of its own that clears its environment. */
const tree = `
  sleep 1000 & echo $! >child
  setsid sh -c 'echo $$ >stranger; (sleep 1000 & echo $! >orphan); sleep 1000' &
  env -i /bin/sh -c 'echo $$ >bare; exec sleep 1000' &
  sleep 0; until [ -s child ] && [ -s stranger ] && [ -s orphan ] && [ -s bare ]; do sleep 0.01; done
  touch ready-$RANK
`;
const names = ['child', 'stranger', 'orphan', 'bare'] as const;

describe.each(['off', 'auto'] as const)("a worker's whole tree with cgroups %s", (cgroups) => {
  let ground: ProcessGround;
  let runtime: ProcessRuntime;
  let table: ProcessTable;
  let id: WorkerId;
  let planted: readonly number[] = [];

  beforeEach(async () => {
    ground = await openProcessGround(cgroups);
    runtime = await ground.open();
    table = await openProcessTable();
    id = freshWorker();
  });
  afterEach(async () => {
    await runtime.signalWorker(id, 'SIGKILL');
    // Without cgroups one that has cleared its environment is out of reach once its parent has gone.
    for (const pid of await survivors(planted)) process.kill(pid, 'SIGKILL');
    await ground.dispose();
  });

  async function plantTree(rest: string): Promise<readonly number[]> {
    await runtime.startRank(rankStart(id, 0, ['sh', '-c', tree + rest]));
    await untilThere(join(ground.folder, 'ready-0'));
    planted = await Promise.all(names.map(async (name) => Number(await readFile(join(ground.folder, name), 'utf8'))));
    return planted;
  }
  const survivors = async (pids: readonly number[]): Promise<readonly number[]> => {
    const entries = await Promise.all(pids.map((pid) => table.find(pid)));
    return entries.filter((entry) => entry !== null && !entry.zombie).map((entry) => entry?.pid ?? 0);
  };

  test('is killed, those in a session of their own included', async () => {
    const pids = await plantTree('wait');
    expect(await survivors(pids)).toEqual(pids);
    await runtime.signalWorker(id, 'SIGKILL');
    expect(await survivors(pids)).toEqual([]);
    expect(await runtime.isWorkerAlive(id)).toBe(false);
  });

  test('is told to end, those in a session of their own included', async () => {
    const pids = await plantTree('wait');
    await runtime.signalWorker(id, 'SIGTERM');
    await until('all have ended', async () => (await survivors(pids)).length === 0);
  });

  test('hears SIGTERM also in the first moment of its rank', async () => {
    for (let rank = 0; rank < 10; rank += 1) {
      const young = { ...id, worker: rank + 1 };
      await runtime.startRank(rankStart(young, rank, ['sleep', '1000']));
      await runtime.signalWorker(young, 'SIGTERM');
      await until('the rank has ended', async () => (await runtime.findRank(young, rank)).kind === 'ended');
      expect(await runtime.findRank(young, rank)).toEqual({ kind: 'ended', exitCode: null, signal: 'SIGTERM' });
      await until('nothing is left', async () => !(await runtime.isWorkerAlive(young)));
      await runtime.forgetWorker(young);
    }
  });

  test('keeps the worker alive after its rank has ended, and is killed all the same', async () => {
    const pids = (await plantTree('exit 0')).slice(0, 3);
    await until('the rank has ended', async () => (await runtime.findRank(id, 0)).kind === 'ended');
    expect(await runtime.isWorkerAlive(id)).toBe(true);
    await expect(runtime.forgetWorker(id)).rejects.toThrow('ended before it is forgotten');
    await runtime.signalWorker(id, 'SIGKILL');
    expect(await survivors(pids)).toEqual([]);
  });
});

// Linux has /proc and a bare one no `ps`; everything else has `ps`.
const hasPs = spawnSync('ps', ['-p', String(process.pid)]).status === 0;

describe('the process table', () => {
  test.runIf(hasPs)('of ps says of this process what that of the system says', async () => {
    const table = await openProcessTable();
    const own = await table.find(process.pid);
    const listed = (await psProcessTable(table.bootId).list()).find((entry) => entry.pid === process.pid);
    expect(listed).toMatchObject({ parent: process.ppid, group: own?.group, zombie: false });
    const startedAt = Date.now() / 1000 - performance.now() / 1000;
    expect(Math.abs((listed?.startTime ?? 0) - startedAt)).toBeLessThan(3600);
  });

  test('has no entry for a process that is not there', async () => {
    const none = 2 ** 22 + 1;
    const table = await openProcessTable();
    expect(await table.find(none)).toBeNull();
    expect(await psProcessTable(table.bootId).find(none)).toBeNull();
  });
});
