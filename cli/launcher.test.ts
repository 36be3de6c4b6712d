/** The program as the shell starts it: launcher, signals and pipes of a real process. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, type Bench } from './testing/commandLine.ts';
import { jobWith } from './testing/objects.ts';

const launcher = fileURLToPath(new URL('../bin/shoal', import.meta.url));
const exec = promisify(execFile);

let bench: Bench;
let env: Readonly<Record<string, string | undefined>>;
let folder: string;
beforeAll(async () => {
  bench = await makeBench();
  folder = await mkdtemp(join(tmpdir(), 'shoal-launcher-'));
  env = { ...process.env, ...bench.env, NODE_COMPILE_CACHE: join(folder, 'cache') };
});
afterAll(async () => {
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

test('it finds its repository through a chain of links, from any folder', async () => {
  await symlink(launcher, join(folder, 'first'));
  await symlink('first', join(folder, 'shoal'));
  const { stdout } = await exec(join(folder, 'shoal'), ['version', '--client'], { env, cwd: '/' });
  expect(stdout).toMatch(/^Client version: \d+\.\d+\.\d+\n$/);
});

test('the exit code reaches the shell', async () => {
  await expect(exec(launcher, ['get', 'job', 'nope'], { env })).rejects.toMatchObject({ code: 3 });
});

test('the simulator gets the words behind its name, and its streams and exit code are those of the shell', async () => {
  const { stdout } = await exec(launcher, ['sim', 'replay', '--help'], { env });
  expect(stdout).toMatch(/^Usage: shoal sim replay /);
  const wrong = ['sim', 'replay', '--jobs', 'j.csv', '--cluster', 'c.yaml', '--policy', 'lottery'];
  await expect(exec(launcher, wrong, { env })).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('--policy "lottery" is not known'),
  });
});

test('a reader that goes away ends it quietly', async () => {
  bench.server.canned.tables = {
    TrainingJob: {
      columns: [{ name: 'Name' }],
      rows: Array.from({ length: 20_000 }, (_, n) => ({ object: { kind: 'TrainingJob', name: `job-${n}` }, cells: [`job-${n}`] })),
    },
  };
  const { stdout, stderr } = await exec('sh', ['-c', `"${launcher}" get jobs | head -1`], { env });
  expect({ stdout, stderr }).toEqual({ stdout: 'NAME\n', stderr: '' });
});

test('Ctrl-C ends a wait with exit code 130', async () => {
  bench.server.canned.resources = [jobWith('llama', { phase: 'Running' })];
  const watching = new Promise<void>((resolve) => {
    bench.server.onRequest = (method) => {
      if (method === 'watch') resolve();
    };
  });
  const child = spawn(launcher, ['wait', '--for=condition=Succeeded', 'job/llama'], { env, stdio: 'ignore' });
  const exited = once(child, 'exit');
  await watching;
  child.kill('SIGINT');
  await exited;
  expect(child.exitCode).toBe(130);
});
