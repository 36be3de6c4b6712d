import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, runShoal, type Bench, type Ran } from '../../testing/commandLine.ts';

let bench: Bench;
let path: string;
beforeAll(async () => {
  bench = await makeBench();
  path = join(bench.folder, 'new', 'shoal', 'config');
});
afterAll(() => bench.close());

const config = (words: readonly string[], stdin = ''): Promise<Ran> =>
  runShoal(['config', ...words], { env: { SHOAL_CONFIG: path }, stdin });

test('contexts are added, listed, used and forgotten; the file is for its owner only', async () => {
  const ca = await bench.file('ca.pem', bench.server.caPem);
  expect(await config(['get-contexts'])).toEqual({ code: 0, stdout: '', stderr: 'No contexts found\n' });
  expect(
    await config(['set-context', 'lab', '--server', '10.0.0.1:7070', '--certificate-authority', ca, '--token-file', '-'], 'secret-token\n'),
  ).toEqual({ code: 0, stdout: 'Context "lab" created.\n', stderr: '' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await config(['set-context', 'prod', '--server', 'prod.example:7070', '--certificate-authority', ca, '--embed-certs']);
  expect((await config(['use-context', 'prod'])).stdout).toBe('Switched to context "prod".\n');
  expect((await config(['get-contexts'])).stdout).toBe(
    'CURRENT   NAME   SERVER\n          lab    10.0.0.1:7070\n*         prod   prod.example:7070\n',
  );
  expect((await config(['current-context'])).stdout).toBe('prod\n');
  expect(await config(['delete-context', 'prod'])).toMatchObject({ code: 0, stdout: `deleted context prod from ${path}\n` });
  expect(await config(['current-context'])).toMatchObject({ code: 1, stdout: '' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a view never shows a token unless it is asked for', async () => {
  const { stdout } = await config(['view']);
  expect(stdout).toContain('token: REDACTED');
  expect(stdout).not.toContain('secret-token');
  expect((await config(['view', '--raw'])).stdout).toContain('token: secret-token');
});

test('a context that does not exist is not used; exit code 3', async () => {
  const before = await readFile(path, 'utf8');
  expect(await config(['use-context', 'lba'])).toEqual({
    code: 3,
    stdout: '',
    stderr: 'error: no context exists with the name "lba"\nDid you mean "lab"?\nList them: shoal config get-contexts\n',
  });
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('a certificate authority that is no certificate is refused', async () => {
  const file = await bench.file('not.pem', 'hello');
  expect(await config(['set-context', 'lab', '--certificate-authority', file])).toEqual({
    code: 1,
    stdout: '',
    stderr: `error: ${file} holds no PEM certificate\n`,
  });
});
