/** A store that cannot be written, or that was damaged, and two controllers for one. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { controllerProgram } from '#cli/rooms.ts';
import { RpcError } from '#rpc/rpcError.ts';
import { runCli } from './cli.ts';
import { withCluster, type Cluster } from './cluster.ts';
import { readHistory } from './history.ts';
import { job, training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { apply, create, printAttempts, untilFinished, untilStep } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

const run = promisify(execFile);
const oneNode = [{ name: 'n1' }];

/** A file system of a few MiB, which is quickly full. The reason says why there is none. */
async function smallDisk(): Promise<{ readonly ok: true; readonly folder: string } | { readonly ok: false; readonly reason: string }> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return { ok: false, reason: 'mounting a small tmpfs needs Linux and root' };
  const folder = await mkdtemp('/tmp/shoal-disk-');
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  } catch (error) {
    await rm(folder, { recursive: true });
    return { ok: false, reason: `tmpfs cannot be mounted: ${error instanceof Error ? error.message.trim() : String(error)}` };
  }
  onTestFinished(async () => {
    await run('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true });
  });
  return { ok: true, folder };
}

/** Leaves no byte free. */
async function fill(folder: string): Promise<string> {
  const file = join(folder, 'filler');
  const { bavail, bsize } = await statfs(folder);
  await writeFile(file, Buffer.alloc(bavail * bsize)).catch(() => undefined);
  return file;
}

/** Waits for a GPU that nobody has. */
const waiting = (name: string): object => ({
  ...job({ name, command: ['true'], spec: { gpuModel: ['Z9'] } }),
  metadata: { name, annotations: { ballast: 'x'.repeat(50_000) } },
});

/** Applies until it is refused: a write-ahead log may have some room of its own. The names that were acknowledged, and the refusal. */
async function applyUntilRefused(
  cluster: Cluster,
): Promise<{ readonly acknowledged: readonly string[]; readonly refused: string; readonly error: RpcError }> {
  const acknowledged: string[] = [];
  for (let number = 0; ; number += 1) {
    const name = `wait-${number}`;
    try {
      await apply(cluster, waiting(name));
      acknowledged.push(name);
    } catch (error) {
      if (error instanceof RpcError) return { acknowledged, refused: name, error };
      throw error;
    }
  }
}

const jobNames = async (cluster: Cluster): Promise<readonly string[]> =>
  (await runCli(cluster, ['get', 'jobs', '-o', 'name'])).stdout
    .trimEnd()
    .split('\n')
    .map((name) => name.replace(/^job\//, ''))
    .sort();

test('with a full disk the controller acknowledges nothing, says why, answers reads, keeps ranks, and goes on by itself when there is room', async (context) => {
  const disk = await smallDisk();
  if (!disk.ok) return context.skip(disk.reason);
  await withCluster({ nodes: oneNode, controllerData: join(disk.folder, 'controller') }, async (cluster) => {
    await create(cluster, training({ name: 'running', out: cluster.work, steps: 200 }));
    await untilStep(cluster, 'running', 5);
    const filler = await fill(disk.folder);
    const why =
      'the store cannot be written: DISK/controller/store.db: no room (database or disk is full); ' +
      'nothing of this request was stored. Make room in DISK/controller';
    const { acknowledged, refused, error } = await applyUntilRefused(cluster);
    expect({ code: error.code, message: error.message.replaceAll(disk.folder, 'DISK') }).toEqual({ code: 'UNAVAILABLE', message: why });
    const said = await runCli(cluster, ['version']);
    expect(said.exitCode).toBe(0);
    expect(said.stderr.replaceAll(disk.folder, 'DISK')).toBe(`Warning: the server refuses changes: ${why}\n`);
    expect((await cluster.client.info({})).degraded).toBe(error.message);
    expect(await jobNames(cluster)).toEqual(['running', ...acknowledged].sort());
    // Longer than the silence after which a node is lost: nobody may be lost for the controller's own trouble.
    await sleep(10_000);

    await rm(filler);
    await waitUntil(async () => ((await cluster.client.info({})).degraded === '' ? true : undefined), {
      what: 'the controller takes requests again',
    });
    expect(await jobNames(cluster)).toEqual(['running', ...acknowledged].sort());
    await create(cluster, waiting(refused));
    const { attempts } = await untilFinished(cluster, 'running', 'Succeeded');
    expect(printAttempts(attempts)).toEqual(['1 Succeeded']);
    expect((await readHistory(cluster.work, 'running')).filter(({ what }) => what === 'start').length).toBe(1);
  });
});

const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

test('a damaged store file is refused with what to do, and stays as it was found', async () => {
  await withCluster({ nodes: oneNode }, async (cluster) => {
    for (let number = 0; number < 20; number += 1) await create(cluster, waiting(`wait-${number}`));
    await cluster.controller.stop();
    const store = join(cluster.controllerData, 'store.db');
    const file = await open(store, 'r+');
    await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, Math.floor((await stat(store)).size / 2 / 4096) * 4096);
    await file.close();
    const before = await hashOf(store);

    const controller = await cluster.spawnController();
    expect(await controller.ended).toBe('ended with code 1');
    // What SQLite says of the page, in one line or several, and the way on.
    const said = (await readFile(controller.logFile, 'utf8')).replaceAll(cluster.folder, 'FOLDER');
    expect(said).toMatch(
      /^Error: FOLDER\/controller\/store\.db is damaged: [^]+\. Nothing was changed\. Stop the controller and restore a backup of the folder FOLDER\/controller\n$/,
    );
    expect(await hashOf(store)).toBe(before);
  });
});

test('a second controller on the same folder does not start, and the first one does not notice', async () => {
  await withCluster({ nodes: oneNode }, async (cluster) => {
    const { epoch } = await cluster.client.info({});
    const words = ['--data', cluster.controllerData, '--listen', '127.0.0.1:0', '--agent-listen', '127.0.0.1:0', '--log-level', 'warn'];
    const second = await cluster.run('second', [process.execPath, controllerProgram, ...words]);
    expect(await second.ended).toBe('ended with code 1');
    const said = await readFile(second.logFile, 'utf8');
    expect(said.replace(/since [0-9TZ:.-]+\)/, 'since TIME)')).toBe(
      `Error: another controller (pid ${cluster.controller.pid}, since TIME) holds ${cluster.controllerData}\n`,
    );
    await create(cluster, job({ name: 'still-there', command: ['true'] }));
    await untilFinished(cluster, 'still-there', 'Succeeded');
    expect((await cluster.client.info({})).epoch).toBe(epoch);
  });
});
