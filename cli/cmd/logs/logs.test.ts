import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { jobWith } from '../../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  bench.server.canned.resources = [jobWith('llama', { phase: 'Running', attempts: [{ number: 1 }, { number: 2 }] })];
});

const data = (text: string): Uint8Array => new TextEncoder().encode(text);

test('without flags it is rank 0 of the newest attempt, byte for byte', async () => {
  bench.server.canned.logs = [
    { rank: 0, node: 'node-1', stream: 'stdout', data: data('step 1\nstep 2\n') },
    { rank: 0, stream: 'stderr', data: data('oops') },
  ];
  expect(await bench.shoal(['logs', 'job/llama'])).toEqual({ code: 0, stdout: 'step 1\nstep 2\noops', stderr: '' });
  expect(bench.server.asked.at(-1)?.request).toMatchObject({
    job: 'llama',
    ranks: [],
    allRanks: false,
    attempt: 0,
    follow: false,
    stream: '',
  });
});

test('all ranks carry a prefix on each line, also where two ranks interleave', async () => {
  bench.server.canned.logs = [
    { rank: 0, node: 'node-1', stream: 'stdout', data: data('a\n\nb\n') },
    { rank: 7, node: 'node-2', stream: 'stdout', data: data('c\n') },
  ];
  expect((await bench.shoal(['logs', 'llama', '--all-ranks'])).stdout).toBe('[node-1/r0] a\n[node-1/r0] \n[node-1/r0] b\n[node-2/r7] c\n');
});

test('a character that was cut between two pieces is put together', async () => {
  const bytes = data('é\n');
  bench.server.canned.logs = [
    { rank: 0, stream: 'stdout', data: bytes.subarray(0, 1) },
    { rank: 0, stream: 'stdout', data: bytes.subarray(1) },
  ];
  expect((await bench.shoal(['logs', 'llama'])).stdout).toBe('é\n');
});

test('flags go to the server: ranks, tail, stream, follow, attempt', async () => {
  bench.server.canned.logs = [];
  await bench.shoal(['logs', '-f', 'llama', '--rank', '0,2-3', '--tail', '10', '--stream', 'stderr', '--attempt', '1']);
  expect(bench.server.asked.at(-1)?.request).toMatchObject({ ranks: [0, 2, 3], tail: 10, stream: 'stderr', follow: true, attempt: 1 });
  await bench.shoal(['logs', 'llama', '--previous']);
  expect(bench.server.asked.at(-1)?.request).toMatchObject({ attempt: 1 });
});

test('a rank that cannot be read is said, the others are printed, exit code 1', async () => {
  bench.server.canned.logs = [
    { rank: 3, node: 'node-2', error: 'the node is lost' },
    { rank: 0, node: 'node-1', stream: 'stdout', data: data('a\n') },
  ];
  expect(await bench.shoal(['logs', 'llama', '--rank', '0,3'])).toEqual({
    code: 1,
    stdout: '[node-1/r0] a\n',
    stderr: 'error: rank 3 on node-2: the node is lost\n',
  });
});

test('escapes in logs cannot reach a terminal', async () => {
  bench.server.canned.logs = [{ rank: 0, stream: 'stdout', data: data('\u001b]0;owned\u0007 1%\r 2%\r\n') }];
  expect((await bench.shoal(['logs', 'llama'], { tty: true })).stdout).toBe('^[]0;owned^G 1%\n 2%\n');
});

test.each([['1,x'], ['3-1'], ['99999'], ['']])('the rank list "%s" is wrong usage', async (list) => {
  expect(await bench.shoal(['logs', 'llama', '--rank', list])).toMatchObject({ code: 2, stdout: '' });
});

test('an unknown job is exit code 3', async () => {
  expect(await bench.shoal(['logs', 'lama'])).toMatchObject({
    code: 3,
    stderr: 'Error from server (NotFound): jobs "lama" not found\nDid you mean "llama"?\nList them: shoal get jobs\n',
  });
});
