import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, runShoal, type Bench } from './testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

test('without a configuration the way to a cluster is shown, exit code 4', async () => {
  const ran = await runShoal(['get', 'jobs'], { env: { HOME: bench.folder } });
  expect(ran).toMatchObject({ code: 4, stdout: '' });
  expect(ran.stderr).toContain('error: no cluster is configured\nStart one here: shoal up\n');
});

test('a token that the server does not know is exit code 4', async () => {
  const path = await bench.file(
    'stranger',
    JSON.stringify({
      currentContext: 'test',
      contexts: [{ name: 'test', server: bench.server.address, certificateAuthority: bench.server.caPem, token: 'wrong' }],
    }),
  );
  const ran = await bench.shoal(['get', 'jobs'], { env: { SHOAL_CONFIG: path } });
  expect(ran).toMatchObject({ code: 4, stdout: '' });
  expect(ran.stderr).toContain('Error from server (Unauthorized): the token is not known\n');
});

test('a server that is not there is named, with what to do', async () => {
  const ran = await bench.shoal(['get', 'jobs', '--server', '127.0.0.1:1']);
  expect(ran).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'Unable to connect to the server 127.0.0.1:1: connection refused\nIs the controller running? Start one here: shoal up\nOr choose another cluster: shoal config get-contexts\n',
  });
});

test('a server whose certificate is not of the authority is refused', async () => {
  const other = await makeBench();
  try {
    const path = await bench.file(
      'other',
      JSON.stringify({
        currentContext: 'test',
        contexts: [{ name: 'test', server: bench.server.address, certificateAuthority: other.server.caPem, token: 'x' }],
      }),
    );
    const ran = await bench.shoal(['get', 'jobs'], { env: { SHOAL_CONFIG: path } });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`Unable to connect to the server ${bench.server.address}: its certificate is not trusted`);
  } finally {
    await other.close();
  }
});

test('an unknown context suggests the one that was meant', async () => {
  expect(await bench.shoal(['get', 'jobs', '--context', 'tset'])).toEqual({
    code: 3,
    stdout: '',
    stderr: 'error: no context exists with the name "tset"\nDid you mean "test"?\nList them: shoal config get-contexts\n',
  });
});

test('a configuration that is no YAML is named', async () => {
  const path = await bench.file('broken', 'contexts: [');
  const ran = await bench.shoal(['get', 'jobs'], { env: { SHOAL_CONFIG: path } });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(`error: the configuration ${path} is not valid:`);
});
