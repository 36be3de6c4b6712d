import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  Object.assign(bench.server.canned, { applied: {}, planned: {}, resources: [], refuse: {} });
});

const job = (name: string): string => `apiVersion: shoal.dev/v1
kind: TrainingJob
metadata:
  name: ${name}
spec:
  workers: 4
  mesh: {data: 2, tensor: 3}
  template:
    command: [python]
`;

test('each document is answered in order, from a file with several', async () => {
  bench.server.canned.applied['b'] = {
    outcome: 'unchanged',
    object: { kind: 'Queue', name: 'b' },
    warnings: ['spec.weight has no effect yet'],
  };
  const file = await bench.file('two.yaml', `${job('a')}---\napiVersion: shoal.dev/v1\nkind: Queue\nmetadata: {name: b}\nspec: {}\n`);
  expect(await bench.shoal(['apply', '-f', file])).toEqual({
    code: 0,
    stdout: 'job/a created\nqueue/b unchanged\n',
    stderr: 'Warning: spec.weight has no effect yet\n',
  });
});

test('a refused document names its file, line and column and does not stop the others; exit code 1', async () => {
  bench.server.canned.applied['bad'] = {
    outcome: 'refused',
    code: 'INVALID_ARGUMENT',
    object: { kind: 'TrainingJob', name: 'bad' },
    problems: [{ field: 'spec.mesh', message: 'data 2 x tensor 3 = 6, but 4 workers x 1 GPU = 4' }],
  };
  const file = await bench.file('train.yaml', `${job('good')}---\n${job('bad')}---\n${job('also-good')}`);
  expect(await bench.shoal(['apply', '-f', file])).toEqual({
    code: 1,
    stdout: 'job/good created\njob/also-good created\n',
    stderr: `Error: ${file}:17:3: spec.mesh: data 2 x tensor 3 = 6, but 4 workers x 1 GPU = 4\n`,
  });
});

test('what get -o yaml prints as a List is taken back, each item for itself', async () => {
  bench.server.canned.applied['b'] = {
    outcome: 'refused',
    code: 'INVALID_ARGUMENT',
    problems: [{ field: 'spec.workers', message: 'too many' }],
  };
  const list =
    'apiVersion: shoal.dev/v1\nkind: List\nitems:\n  - kind: TrainingJob\n    metadata: {name: a}\n  - kind: TrainingJob\n    metadata: {name: b}\n    spec:\n      workers: 9\n';
  expect(await bench.shoal(['apply', '-f', '-'], { stdin: list })).toEqual({
    code: 1,
    stdout: 'job/a created\n',
    stderr: 'Error: stdin:9:7: spec.workers: too many\n',
  });
});

test('YAML that cannot be read is named with line and column', async () => {
  const file = await bench.file('broken.yaml', 'kind: TrainingJob\nspec: [1,\n');
  const { code, stdout, stderr } = await bench.shoal(['apply', '-f', file]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(new RegExp(`^Error: ${file}:[23]:1: `));
  expect(bench.server.asked).toEqual([]);
});

test('a file over the limit is refused with the limit', async () => {
  const file = await bench.file('big.yaml', `# ${'x'.repeat(10 * 1024 * 1024)}\n`);
  expect(await bench.shoal(['apply', '-f', file])).toEqual({
    code: 1,
    stdout: '',
    stderr: `Error: ${file}: 10.0 MiB is more than the limit of 8 MiB\n`,
  });
  const { stderr } = await bench.shoal(['apply', '-f', '-'], { stdin: 'x'.repeat(9 * 1024 * 1024) });
  expect(stderr).toBe('Error: stdin: more than the limit of 8 MiB\n');
});

test('a folder gives its manifests sorted by path, those below only with -R', async () => {
  const folder = join(bench.folder, 'jobs');
  await mkdir(join(folder, 'deep'), { recursive: true });
  await bench.file('jobs/b.yml', job('b'));
  await bench.file('jobs/a.yaml', job('a'));
  await bench.file('jobs/notes.txt', 'no manifest');
  await bench.file('jobs/deep/c.json', JSON.stringify({ kind: 'Queue', metadata: { name: 'c' } }));
  expect((await bench.shoal(['apply', '-f', folder])).stdout).toBe('job/a created\njob/b created\n');
  expect((await bench.shoal(['apply', '-f', folder, '-R'])).stdout).toBe('job/a created\njob/b created\nqueue/c created\n');
});

test('a file that is not there is said', async () => {
  expect(await bench.shoal(['apply', '-f', '/nowhere/job.yaml'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Error: /nowhere/job.yaml: no such file or folder\n',
  });
});

test('2,500 documents go in batches of at most 1,000', async () => {
  const file = await bench.file(
    'many.jsonl',
    Array.from({ length: 2500 }, (_, n) => JSON.stringify({ kind: 'TrainingJob', metadata: { name: `j${n}` } })).join('\n'),
  );
  const { code, stdout } = await bench.shoal(['apply', '-f', file]);
  expect({ code, lines: stdout.split('\n').length - 1 }).toEqual({ code: 0, lines: 2500 });
  const sizes = bench.server.asked.map(({ request }) =>
    typeof request === 'object' && request !== null && 'documents' in request && Array.isArray(request.documents)
      ? request.documents.length
      : 0,
  );
  expect(sizes).toEqual([1000, 1000, 500]);
});

test('a server dry run says where a job would start, or why it would wait with exit code 7', async () => {
  bench.server.canned.planned = {
    fits: {
      apply: { outcome: 'created', object: { kind: 'TrainingJob', name: 'fits' } },
      placement: [
        { worker: 0, node: 'node-1', gpus: [0, 1] },
        { worker: 1, node: 'node-2', gpus: [0, 1] },
      ],
    },
    waits: {
      apply: { outcome: 'created', object: { kind: 'TrainingJob', name: 'waits' } },
      waitReason: 'InsufficientGpus',
      waitMessage: '64 x 8 GPUs wanted; 1 of 64 workers fit now (8 GPUs free)',
      verdict: {
        lines: [
          { title: 'Why pending', text: 'InsufficientGpus: told above' },
          { title: 'Would start', text: 'now with 1 worker (spec.workers: 1)' },
        ],
      },
    },
  };
  const fits = await bench.file('fits.yaml', job('fits'));
  const waits = await bench.file('waits.yaml', job('waits'));
  expect(await bench.shoal(['apply', '-f', fits, '--dry-run=server'])).toEqual({
    code: 0,
    stderr: '',
    stdout:
      'job/fits created (server dry run)\n  would start now on:\n    worker 0   node-1   GPUs 0-1\n    worker 1   node-2   GPUs 0-1\n',
  });
  expect(await bench.shoal(['apply', '-f', waits, '--dry-run=server'])).toEqual({
    code: 7,
    stderr: '',
    stdout:
      'job/waits created (server dry run)\n  would wait: InsufficientGpus: 64 x 8 GPUs wanted; 1 of 64 workers fit now (8 GPUs free)\n    Would start:   now with 1 worker (spec.workers: 1)\n',
  });
  expect(bench.server.asked.map(({ method }) => method)).toEqual(['plan', 'plan']);
});

test('without -f it is wrong usage', async () => {
  expect(await bench.shoal(['apply'])).toMatchObject({ code: 2, stdout: '' });
});
