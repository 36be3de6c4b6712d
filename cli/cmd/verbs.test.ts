import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { exitCodeMeanings } from '../exitCodes.ts';
import { makeBench, type Bench } from '../testing/commandLine.ts';
import { jobWith, nodeWith } from '../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  Object.assign(bench.server.canned, {
    resources: [jobWith('llama', {}), nodeWith('node-1', { jobs: ['llama'] }), nodeWith('node-2', {})],
    changes: [],
    refuse: {},
  });
});

const requests = (method: string): unknown[] => bench.server.asked.filter((each) => each.method === method).map((each) => each.request);

test('suspend and resume name what they did; one unknown job does not stop the others', async () => {
  expect(await bench.shoal(['suspend', 'nope', 'llama'])).toEqual({
    code: 3,
    stdout: 'job/llama suspended\n',
    stderr: 'Error from server (NotFound): jobs "nope" not found\nList them: shoal get jobs\n',
  });
  expect(await bench.shoal(['resume', 'job', 'llama'])).toEqual({ code: 0, stdout: 'job/llama resumed\n', stderr: '' });
});

test('hold, release and next name what they did, also when there was nothing to do', async () => {
  expect(await bench.shoal(['hold', 'llama'])).toEqual({ code: 0, stdout: 'job/llama held\n', stderr: '' });
  expect((await bench.shoal(['release', 'job/llama'])).stdout).toBe('job/llama released\n');
  expect(await bench.shoal(['next', 'nope', 'llama'])).toMatchObject({ code: 3, stdout: 'job/llama is next\n' });
  bench.server.canned.changed = false;
  const unchanged = await Promise.all(['hold', 'release', 'next'].map(async (verb) => (await bench.shoal([verb, 'llama'])).stdout));
  bench.server.canned.changed = true;
  expect(unchanged).toEqual(['job/llama was held already\n', 'job/llama was not held\n', 'job/llama was next already\n']);
});

test('priority takes one job and a number', async () => {
  expect(await bench.shoal(['priority', 'job/llama', '70'])).toEqual({ code: 0, stdout: 'job/llama has priority 70\n', stderr: '' });
  expect(requests('prioritize')).toMatchObject([{ job: 'llama', priority: 70 }]);
  expect(await bench.shoal(['priority', 'llama', '101'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('A whole number of 0 to 100 is wanted.'),
  });
});

test('cordon carries the reason, uncordon takes it back', async () => {
  expect((await bench.shoal(['cordon', 'node/node-1', '--reason', 'new cable'])).stdout).toBe('node/node-1 cordoned\n');
  expect(requests('cordon')).toMatchObject([{ node: 'node-1', reason: 'new cable' }]);
  expect((await bench.shoal(['uncordon', 'node-1'])).stdout).toBe('node/node-1 uncordoned\n');
});

test('drain of one node asks nobody and waits until it is empty', async () => {
  bench.server.onRequest = (method) => {
    if (method === 'list') bench.server.canned.resources = [nodeWith('node-1', {})];
  };
  expect(await bench.shoal(['drain', 'node-1'])).toEqual({
    code: 0,
    stdout: 'node/node-1 cordoned\njob/llama asked to leave\nnode/node-1 drained\n',
    stderr: '',
  });
  bench.server.onRequest = () => undefined;
});

test('drain that takes too long is exit code 124', async () => {
  expect(await bench.shoal(['drain', 'node-1', '--timeout', '50ms'])).toMatchObject({
    code: 124,
    stderr: 'error: timed out waiting for the jobs to leave; what was asked for goes on\n',
  });
});

test('drain of several nodes needs --yes in a pipe, and an answer on a terminal', async () => {
  const several = ['drain', 'node-1', 'node-2', '--no-wait'];
  expect(await bench.shoal(several)).toEqual({
    code: 2,
    stdout: '',
    stderr: 'error: draining 2 nodes needs --yes when there is no terminal to ask on\n',
  });
  expect(await bench.shoal(several, { tty: true, stdin: 'n\n' })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Drain 2 nodes (node-1, node-2)? [y/N] Nothing was drained.\n',
  });
  expect(requests('drain')).toEqual([]);
  expect((await bench.shoal(several, { tty: true, stdin: 'y\n' })).stdout).toBe(
    'node/node-1 cordoned\njob/llama asked to leave\nnode/node-2 cordoned\n',
  );
  expect((await bench.shoal([...several, '--yes'])).code).toBe(0);
});

test('delete waits until the object is gone', async () => {
  bench.server.canned.changes = [{ type: 'DELETED', revision: 9n, object: { kind: 'TrainingJob', name: 'llama' } }];
  expect(await bench.shoal(['delete', 'job', 'llama', '--now'])).toEqual({ code: 0, stdout: 'job "llama" deleted\n', stderr: '' });
  expect(requests('delete')).toMatchObject([{ object: { kind: 'TrainingJob', name: 'llama' }, now: true }]);
});

test('delete that is not done in time is exit code 124', async () => {
  expect(await bench.shoal(['delete', 'job/llama', '--timeout', '50ms'])).toEqual({
    code: 124,
    stdout: '',
    stderr: 'error: timed out waiting for job "llama" to be gone; it is still being deleted\n',
  });
});

test('delete -f takes the objects of a file; what is not there is an error unless told otherwise', async () => {
  const text = 'kind: TrainingJob\nmetadata: {name: llama}\n---\nkind: TrainingJob\nmetadata: {name: gone}\n';
  expect(await bench.shoal(['delete', '-f', '-', '--no-wait'], { stdin: text })).toMatchObject({
    code: 3,
    stdout: 'job "llama" deleted\n',
  });
  expect(await bench.shoal(['delete', '-f', '-', '--no-wait', '--ignore-not-found'], { stdin: text })).toEqual({
    code: 0,
    stdout: 'job "llama" deleted\n',
    stderr: '',
  });
});

test.each([[['delete']], [['delete', 'job']], [['delete', 'job', 'x', '-f', 'y']]])('%j is wrong usage', async (words) => {
  expect(await bench.shoal(words)).toMatchObject({ code: 2, stdout: '' });
});

test('version asks the server unless told not to', async () => {
  bench.server.canned.info = { serverVersion: '9.9.9', clusterId: 'c1', user: 'ada', role: 'admin', degraded: 'disk full' };
  const { code, stdout, stderr } = await bench.shoal(['version']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'Warning: the server refuses changes: disk full\n' });
  expect(stdout).toMatch(/^Client version: \d+\.\d+\.\d+\nServer version: 9\.9\.9\nCluster: c1\nUser: ada \(admin\)\n$/);
  bench.server.asked.length = 0;
  expect((await bench.shoal(['version', '--client'])).stdout).toMatch(/^Client version: \d+\.\d+\.\d+\n$/);
  expect(bench.server.asked).toEqual([]);
});

test('a join token is all that stdout gets', async () => {
  expect(await bench.shoal(['agent', 'token', '--ttl', '5m'])).toEqual({ code: 0, stdout: 'shoal-join.id.secret.hash\n', stderr: '' });
  expect(requests('createJoinToken')).toMatchObject([{ ttlSeconds: 300 }]);
  expect(await bench.shoal(['agent', 'token', '--ttl', '2d'])).toMatchObject({ code: 2 });
});

test('help exit-codes lists every code', async () => {
  const { code, stdout } = await bench.shoal(['help', 'exit-codes']);
  expect(code).toBe(0);
  for (const [number, meaning] of exitCodeMeanings) expect(stdout).toContain(`  ${String(number).padEnd(5)}${meaning}\n`);
});

test('help names a command or says what was meant', async () => {
  expect((await bench.shoal(['help', 'config', 'view'])).stdout).toMatch(/^Usage: shoal config view \[options\]\n/);
  expect(await bench.shoal(['help', 'aply'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'error: unknown command \'aply\'\nDid you mean "apply"?\nSee: shoal help\n',
  });
  expect(await bench.shoal(['--help'])).toMatchObject({ code: 0, stderr: '' });
});

test('events are listed about one object and watched', async () => {
  const columns = [{ name: 'Last seen' }, { name: 'Reason' }];
  bench.server.canned.tables['Event'] = { columns, rows: [{ cells: ['5m', 'Placed'] }] };
  bench.server.canned.changes = [{ type: 'ADDED', revision: 8n, table: { columns, rows: [{ cells: ['0s', 'Started'] }] } }];
  expect((await bench.shoal(['events', '--for', 'job/llama'])).stdout).toBe('LAST SEEN   REASON\n5m          Placed\n');
  expect(requests('list')).toMatchObject([{ kind: 'Event', about: { kind: 'TrainingJob', name: 'llama' }, table: true }]);
  const interrupt = new AbortController();
  const onOutput = (text: string): void => {
    if (text.includes('Started')) interrupt.abort();
  };
  expect(await bench.shoal(['events', '-w'], { signal: interrupt.signal, onOutput })).toEqual({
    code: 130,
    stdout: 'LAST SEEN   REASON\n5m          Placed\n0s          Started\n',
    stderr: '',
  });
});
