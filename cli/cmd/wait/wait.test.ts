import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { jobWith, nodeWith } from '../../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() =>
  Object.assign(bench.server.canned, {
    resources: [jobWith('llama', { phase: 'Running' }), nodeWith('node-1', { state: 'Ready' })],
    changes: [],
  }),
);

test('what holds already is met at once', async () => {
  expect(await bench.shoal(['wait', '--for=phase=running', 'job/llama', '--timeout=0'])).toEqual({
    code: 0,
    stdout: 'job/llama condition met\n',
    stderr: '',
  });
  expect(await bench.shoal(['wait', '--for=condition=Ready', 'node/node-1'])).toEqual({
    code: 0,
    stdout: 'node/node-1 condition met\n',
    stderr: '',
  });
});

test('a change that comes later is seen', async () => {
  bench.server.canned.changes = [{ type: 'MODIFIED', revision: 8n, resource: jobWith('llama', { phase: 'Succeeded' }) }];
  expect(await bench.shoal(['wait', '--for=condition=Succeeded', 'job', 'llama'])).toEqual({
    code: 0,
    stdout: 'job/llama condition met\n',
    stderr: '',
  });
});

test('a job that failed ends the wait for its success with exit code 6', async () => {
  bench.server.canned.changes = [
    {
      type: 'MODIFIED',
      revision: 8n,
      resource: jobWith('llama', { phase: 'Failed', reason: 'ApplicationFailure', message: 'rank 2 exited with 1' }),
    },
  ];
  expect(await bench.shoal(['wait', '--for=condition=Succeeded', 'job/llama'])).toEqual({
    code: 6,
    stdout: '',
    stderr: 'error: job/llama failed: ApplicationFailure: rank 2 exited with 1\nSee: shoal describe job llama\n',
  });
});

test('a timeout is exit code 124', async () => {
  const want = { code: 124, stdout: '', stderr: 'error: timed out waiting for the condition on jobs/llama\n' };
  expect(await bench.shoal(['wait', '--for=condition=Succeeded', 'job/llama', '--timeout=50ms'])).toEqual(want);
  expect(await bench.shoal(['wait', '--for=condition=Succeeded', 'job/llama', '--timeout=0'])).toEqual(want);
});

test('deletion is waited for, and what is not there is deleted already', async () => {
  bench.server.canned.changes = [{ type: 'DELETED', revision: 8n, object: { kind: 'TrainingJob', name: 'llama' } }];
  expect((await bench.shoal(['wait', '--for=delete', 'job/llama'])).stdout).toBe('job/llama deleted\n');
  expect((await bench.shoal(['wait', '--for=delete', 'job/gone'])).stdout).toBe('job/gone deleted\n');
});

test('Ctrl-C is exit code 130', async () => {
  const interrupt = new AbortController();
  bench.server.onRequest = (method) => {
    if (method === 'watch') interrupt.abort();
  };
  expect(await bench.shoal(['wait', '--for=condition=Succeeded', 'job/llama'], { signal: interrupt.signal })).toEqual({
    code: 130,
    stdout: '',
    stderr: '',
  });
  bench.server.onRequest = () => undefined;
});

test('an unknown condition is wrong usage, with what was meant', async () => {
  expect(await bench.shoal(['wait', '--for=condition=Suceeded', 'job/llama'])).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'error: condition "Suceeded" is not known; known: Succeeded, Complete, Failed, Finished, Running, Suspended, Ready\nDid you mean "Succeeded"?\n',
  });
  expect(await bench.shoal(['wait', 'job/llama'])).toMatchObject({ code: 2 });
});
