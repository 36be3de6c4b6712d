import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EndLog, freshWorker, rankStart } from '#test/conformance/runtime.ts';
import { openProcessGround, type ProcessGround, until } from '#test/conformance/runtimeProcessGround.ts';
import { detectCgroups, systemCgroups } from './cgroups.ts';
import { readIfThere, workerFiles } from './workerFiles.ts';

/**
 * Versions 1 and 2 on plain folders that look like the kernel's, and whichever this machine has for real. A plain folder
 * takes every file that is written, so what is proven there is what we would tell the kernel; that it obeys is proven
 * below, where the machine lets us.
 */
let mount: string;
const places = () => ({ mount, own: join(mount, 'own') });

beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'shoal-cgroups-'));
});
afterEach(() => rm(mount, { recursive: true, force: true }));

async function fakeV2(own = '/'): Promise<void> {
  await writeFile(join(mount, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
  await writeFile(join(mount, 'own'), `0::${own}\n`);
}

async function fakeV1(controllers: readonly string[], own: string): Promise<void> {
  for (const controller of controllers) await mkdir(join(mount, controller, own), { recursive: true });
  await writeFile(join(mount, 'own'), controllers.map((controller, index) => `${index + 1}:${controller}:${own}\n`).join(''));
}

const read = (path: string): Promise<string> => readFile(path, 'utf8');

async function foldersFor(limits: { readonly cpuMilli: number | null; readonly memoryBytes: number | null }): Promise<readonly string[]> {
  const detected = await detectCgroups(places(), '/agent');
  if (detected.kind === 'none') throw new Error(detected.why);
  await detected.cgroups.make('w', limits);
  return detected.cgroups.foldersOf('w', limits).map((folder) => folder.slice(mount.length));
}

describe('cgroups version 2', () => {
  test("get hard limits, in a slice of their own that outlives the agent's service", async () => {
    await fakeV2('/system.slice/shoal-agent.service');
    const [folder] = await foldersFor({ cpuMilli: 1500, memoryBytes: 2 ** 30 });
    expect(folder).toMatch(/^\/shoal\.slice\/shoal-[0-9a-f]{8}\/w$/);
    expect(await read(join(mount, folder ?? '', 'memory.max'))).toBe('1073741824');
    expect(await read(join(mount, folder ?? '', 'memory.swap.max'))).toBe('0');
    expect(await read(join(mount, folder ?? '', 'memory.oom.group'))).toBe('1');
    expect(await read(join(mount, folder ?? '', 'cpu.max'))).toBe('150000 100000');
    expect(await read(join(mount, 'shoal.slice', 'cgroup.subtree_control'))).toBe('+cpu');
  });

  test("stay below the agent's own cgroup where that is not a service of the machine", async () => {
    await fakeV2('/batch/job-7');
    expect((await foldersFor({ cpuMilli: null, memoryBytes: null }))[0]).toMatch(/^\/batch\/job-7\/shoal-[0-9a-f]{8}\/w$/);
  });

  test('get no limit that was not asked for, and no smaller quota than the kernel takes', async () => {
    await fakeV2();
    const [free] = await foldersFor({ cpuMilli: null, memoryBytes: null });
    expect(await readdir(join(mount, free ?? ''))).toEqual(['memory.oom.group']);
    const [tiny] = await foldersFor({ cpuMilli: 1, memoryBytes: null });
    expect(await read(join(mount, tiny ?? '', 'cpu.max'))).toBe('1000 100000');
  });
});

describe('cgroups version 1', () => {
  test('get a folder under memory, and one under cpu only for a limit', async () => {
    await fakeV1(['memory', 'cpu', 'freezer'], '/own/place');
    expect(await foldersFor({ cpuMilli: null, memoryBytes: 4096 })).toEqual([
      expect.stringMatching(/^\/memory\/own\/place\/shoal-[0-9a-f]{8}\/w$/),
    ]);
    const both = await foldersFor({ cpuMilli: 500, memoryBytes: 4096 });
    expect(both).toHaveLength(2);
    expect(await read(join(mount, both[0] ?? '', 'memory.limit_in_bytes'))).toBe('4096');
    expect(await read(join(mount, both[1] ?? '', 'cpu.cfs_quota_us'))).toBe('50000');
  });

  test('hold a worker together by another controller where memory is missing, and say what is not kept', async () => {
    await fakeV1(['freezer'], '/');
    const detected = await detectCgroups(places(), '/agent');
    expect(detected.kind === 'usable' ? detected.cgroups.gaps : []).toEqual([
      'memory limits are not kept: the memory cgroup is not writable',
      'CPU limits are not kept: the cpu cgroup is not writable',
    ]);
  });
});

describe('a machine without usable cgroups', () => {
  test('is told once and runs workers all the same', async () => {
    const ground = await openProcessGround('auto', { cgroupPlaces: { mount, own: join(mount, 'absent') } });
    const runtime = await ground.open();
    expect(ground.notices).toEqual(['workers run without cgroups, so limits of memory and CPU are not kept: this system has no cgroups']);
    const ends = new EndLog(runtime);
    for (const id of [freshWorker(), freshWorker()]) {
      await runtime.startRank(rankStart(id, 0, ['true'], { memoryBytes: 2 ** 30 }));
      expect(await ends.next()).toMatchObject({ exitCode: 0 });
    }
    expect(ground.notices).toHaveLength(1);
    expect(runtime.isolation).toBe('process-group');
    await ground.dispose();
  });

  test('is told why a folder cannot be made', async () => {
    await fakeV2();
    await writeFile(join(mount, 'shoal.slice'), 'in the way');
    expect(await detectCgroups(places(), '/agent')).toEqual({
      kind: 'none',
      why: expect.stringMatching(/cgroup .*shoal\.slice.* cannot be made \((ENOTDIR|EEXIST)\)/),
    });
  });
});

describe('a worker on a fake version 2', () => {
  test('joins before its command runs, is killed at one word, and leaves no folder', async () => {
    await fakeV2();
    const ground = await openProcessGround('auto', { cgroupPlaces: places() });
    const runtime = await ground.open();
    expect(runtime.isolation).toBe('cgroup-v2');
    const id = freshWorker();
    const started = [];
    for (const rank of [0, 1]) started.push(await runtime.startRank(rankStart(id, rank, ['sh', '-c', 'exec sleep 1000'])));
    const folder = (await readIfThere(workerFiles(join(ground.folder, 'agent'), id).cgroups))?.trim() ?? '';
    const pids = started.map((result) => (result.kind === 'started' ? result.process.pid : 0));
    expect((await read(join(folder, 'cgroup.procs'))).trim().split('\n').map(Number)).toEqual(pids);
    await writeFile(join(folder, 'cgroup.kill'), '');
    // The plain folder kills nobody: the runtime goes on by hand with those that are listed, here the launchers.
    await runtime.signalWorker(id, 'SIGKILL');
    expect(await read(join(folder, 'cgroup.kill'))).toBe('1');
    expect(await runtime.isWorkerAlive(id)).toBe(false);
    for (const pid of pids) endGroup(pid);
    await runtime.forgetWorker(id);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
    await ground.dispose();
  });

  test('that cannot join its cgroup does not start, and may be tried again', async () => {
    await fakeV2();
    const ground = await openProcessGround('auto', { cgroupPlaces: places() });
    const runtime = await ground.open();
    const id = freshWorker();
    const [folder] = await foldersFor({ cpuMilli: null, memoryBytes: null });
    const base = join(mount, folder ?? '', '..', '..');
    const agentBase = (await readdir(base)).find((name) => name.startsWith('shoal-') && !folder?.includes(name)) ?? '';
    const own = join(base, agentBase, `${id.job}-1-0`);
    await mkdir(join(own, 'cgroup.procs'), { recursive: true });
    const result = await runtime.startRank(rankStart(id, 0, ['true']));
    expect(result).toEqual({ kind: 'failed', message: `cannot join the cgroup: ${own}/cgroup.procs` });
    expect(await runtime.findRank(id, 0)).toEqual({ kind: 'never-started' });
    await ground.dispose();
  });
});

/** What a launcher has started, if it came so far before it was killed. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    expect(error).toMatchObject({ code: 'ESRCH' });
  }
}

describe('a version 2 of the kernel', async () => {
  // Beside version 1 it is mounted here, without controllers; that is enough to hold and to kill.
  const candidates = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].map((folder) => ({ mount: folder, own: '/proc/self/cgroup' }));
  const found = await Promise.all(candidates.map(async (entry) => ({ entry, detected: await detectCgroups(entry, '/shoal-test') })));
  const usable = found.find(({ detected }) => detected.kind === 'usable' && detected.cgroups.version === 'v2')?.entry;

  test.runIf(usable !== undefined)('holds a worker that leaves its session and clears its environment, and kills it', async () => {
    const ground = await openProcessGround('auto', usable === undefined ? {} : { cgroupPlaces: usable });
    const runtime = await ground.open();
    const id = freshWorker();
    await runtime.startRank(
      rankStart(id, 0, [
        'sh',
        '-c',
        'env -i setsid /bin/sh -c "echo \\$\\$ >away; exec sleep 1000" & until [ -s away ]; do sleep 0.01; done',
      ]),
    );
    await until('the rank has ended', async () => (await runtime.findRank(id, 0)).kind === 'ended');
    expect(await runtime.isWorkerAlive(id)).toBe(true);
    await runtime.signalWorker(id, 'SIGKILL');
    expect(await runtime.isWorkerAlive(id)).toBe(false);
    await runtime.forgetWorker(id);
    await ground.dispose();
    if (usable !== undefined) await rmdir(join(usable.mount, 'shoal.slice')).catch(() => undefined);
  });
});

const real = await detectCgroups(systemCgroups, '/shoal-test');
const keepsMemory = real.kind === 'usable' && !real.cgroups.gaps.some((gap) => gap.startsWith('memory'));
const why = real.kind === 'none' ? real.why : real.cgroups.gaps.join('; ');

describe(`the cgroups of this machine${keepsMemory ? '' : ` (not usable, their limits are only tested on plain folders: ${why})`}`, () => {
  let ground: ProcessGround;

  beforeEach(async () => {
    ground = await openProcessGround('auto');
  });
  afterEach(() => ground.dispose());

  test.runIf(keepsMemory)('end a worker that takes more memory than its limit, and no other', async () => {
    const runtime = await ground.open();
    const ends = new EndLog(runtime);
    const [greedy, modest] = [freshWorker(), freshWorker()];
    const take = (mebibytes: number): readonly string[] => [
      // A rank inherits little; this Node may need a library from elsewhere.
      'env',
      `LD_LIBRARY_PATH=${process.env['LD_LIBRARY_PATH'] ?? ''}`,
      process.execPath,
      '-e',
      `const all = []; for (let i = 0; i < ${mebibytes}; i += 1) all.push(Buffer.alloc(1 << 20, 1));`,
    ];
    const limits = { memoryBytes: 256 * 2 ** 20, cpuMilli: 2000 };
    await runtime.startRank(rankStart(modest, 0, take(10), limits));
    expect(await ends.next()).toMatchObject({ id: modest, exitCode: 0 });
    await runtime.startRank(rankStart(greedy, 0, take(1000), limits));
    expect(await ends.next()).toEqual({ id: greedy, rank: 0, exitCode: null, signal: 'SIGKILL' });
    for (const id of [greedy, modest]) {
      await until('the worker is gone', async () => !(await runtime.isWorkerAlive(id)));
      const folders = (await readIfThere(workerFiles(join(ground.folder, 'agent'), id).cgroups))?.trim().split('\n') ?? [];
      expect(folders.length).toBeGreaterThan(0);
      await runtime.forgetWorker(id);
      for (const folder of folders) await expect(stat(folder)).rejects.toThrow('ENOENT');
    }
  });

  test.runIf(keepsMemory)('kill a process that forks without end', async () => {
    const runtime = await ground.open();
    const id = freshWorker();
    // Bounded in number, so that a failure of the test does not take the machine along.
    await runtime.startRank(
      rankStart(id, 0, [
        'sh',
        '-c',
        'touch ready-0; again() { (sleep 0.02; [ ! -e stop ] && again) & }; i=0; while [ $i -lt 20 ]; do i=$((i+1)); again; done; wait; sleep 1000',
      ]),
    );
    await until('it forks', async () => (await readIfThere(join(ground.folder, 'ready-0'))) !== null);
    await runtime.signalWorker(id, 'SIGKILL');
    await writeFile(join(ground.folder, 'stop'), '');
    expect(await runtime.isWorkerAlive(id)).toBe(false);
    await runtime.forgetWorker(id);
  });
});
