import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { at, jobWith, nodeWith } from '../../testing/objects.ts';
import { makeName, shapeOf } from './manifest.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  bench.server.onRequest = () => undefined;
  Object.assign(bench.server.canned, { resources: [], changes: [], logs: [], refuse: {}, applied: {} });
});

const data = (text: string): Uint8Array => new TextEncoder().encode(text);
const applied = (): unknown => {
  const text = JSON.stringify(bench.server.asked.find(({ method }) => method === 'apply')?.request);
  const [, json = 'null'] = /"json":("(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  return JSON.parse(String(JSON.parse(json)));
};
const mine = (status: Parameters<typeof jobWith>[1]): ReturnType<typeof jobWith> => {
  const job = jobWith('llama', status);
  if (job.object?.case === 'trainingJob' && job.object.value.metadata !== undefined) job.object.value.metadata.uid = 'uid-1';
  return job;
};
const change = (status: Parameters<typeof jobWith>[1], revision: bigint) => ({ type: 'MODIFIED', revision, resource: mine(status) });

test('every flag finds its field of the manifest', async () => {
  const ran = await bench.shoal([
    'run',
    '--name',
    'llama',
    '--queue',
    'research',
    '--workers',
    '2',
    '--gpus-per-worker',
    '2',
    '--mesh',
    'data=2,tensor=2',
    '--env',
    'A=1=2',
    '--env',
    'B=',
    '--cpu',
    '500m',
    '--memory',
    '1Gi',
    '--checkpoint-dir',
    '/ck',
    '--priority',
    '30',
    '--workdir',
    '/w',
    '--gpu-model',
    'H100',
    '-d',
    '--',
    'python',
    'train.py',
    '--name',
    'x',
    '-d',
  ]);
  expect(ran).toEqual({ code: 0, stdout: 'job/llama created\n', stderr: '' });
  expect(applied()).toEqual({
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name: 'llama' },
    spec: {
      queue: 'research',
      priority: 30,
      gpuModel: ['H100'],
      workers: 2,
      gpusPerWorker: 2,
      mesh: { data: 2, tensor: 2 },
      checkpoint: { directory: '/ck' },
      template: {
        command: ['python', 'train.py', '--name', 'x', '-d'],
        env: { A: '1=2', B: '' },
        workingDirectory: '/w',
        resources: { cpu: '500m', memory: '1Gi' },
      },
    },
  });
});

test('GPUs are cut into workers that fit the largest node', async () => {
  bench.server.canned.resources = [nodeWith('a', { inventory: { gpus: [{ index: 0 }, { index: 1 }] } }), nodeWith('b', {})];
  await bench.shoal(['run', '--gpus', '6', '-d', '--', 'x']);
  expect(applied()).toMatchObject({ spec: { workers: 3, gpusPerWorker: 2 } });
});

test.each([
  [[16, null, null, 8], { workers: 2, gpusPerWorker: 8 }],
  [[6, null, null, 4], { workers: 2, gpusPerWorker: 3 }],
  [[7, null, null, 4], { workers: 7, gpusPerWorker: 1 }],
  [[16, 4, null, 0], { workers: 4, gpusPerWorker: 4 }],
  [[16, null, 2, 0], { workers: 8, gpusPerWorker: 2 }],
  [[0, null, null, 8], { workers: null, gpusPerWorker: 0 }],
  [[null, 3, null, 0], { workers: 3, gpusPerWorker: null }],
  [[5, 2, null, 0], undefined],
  [[8, 3, 2, 0], undefined],
] as const)('the shape of %j is %j', ([gpus, workers, each, largest], want) => {
  expect(shapeOf(gpus, workers, each, largest)).toEqual(want);
});

test('GPUs that do not divide are wrong usage', async () => {
  expect(await bench.shoal(['run', '--gpus', '5', '--workers', '2', '--', 'x'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'error: 5 GPUs do not divide into 2 workers\n',
  });
});

test('a name is made from the command', () => {
  expect(makeName(['/usr/bin/Python3.11', 'x'], () => 0)).toBe('python3-11-bbbbb');
  expect(makeName(['***'], () => 1)).toBe('run-ccccc');
});

test('a name that is taken is a conflict, exit code 5, and nothing is applied', async () => {
  bench.server.canned.resources = [jobWith('llama', {})];
  expect(await bench.shoal(['run', '--name', 'llama', '--', 'x'])).toMatchObject({ code: 5, stdout: '' });
  expect(bench.server.asked.map(({ method }) => method)).toEqual(['list']);
});

test('a refusal names the fields', async () => {
  bench.server.canned.applied['llama'] = {
    outcome: 'refused',
    code: 'INVALID_ARGUMENT',
    problems: [{ field: 'spec.queue', message: 'queue "x" does not exist' }],
  };
  expect(await bench.shoal(['run', '--name', 'llama', '--queue', 'x', '--', 'x'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Error from server (Invalid): spec.queue: queue "x" does not exist\n',
  });
});

/** The name is free when it is asked for; the job is there once it was applied. */
function appearOnApply(): void {
  bench.server.onRequest = (method) => {
    if (method === 'apply') bench.server.canned.resources = [mine({ phase: 'Pending', reason: 'InsufficientGpus', message: 'wait' })];
  };
}

test('the output of rank 0 is ours, stream by stream, and success is exit code 0', async () => {
  appearOnApply();
  const attempts = [{ number: 1, stage: 'Running', startedAt: at('11:00:00') }];
  bench.server.canned.logs = [
    { rank: 0, stream: 'stdout', data: data('out\n') },
    { rank: 0, stream: 'stderr', data: data('err\n') },
  ];
  bench.server.canned.changes = [
    change({ phase: 'Running', attempts, ranks: [{ node: 'node-1' }, { node: 'node-2' }, { node: 'node-1' }] }, 8n),
    change({ phase: 'Succeeded', attempts }, 9n),
  ];
  expect(await bench.shoal(['run', '--name', 'llama', '--', 'x'])).toEqual({
    code: 0,
    stdout: 'out\n',
    stderr: 'job/llama created\njob/llama pending: InsufficientGpus: wait\njob/llama running on node-1, node-2\nerr\njob/llama succeeded\n',
  });
});

test('a job that failed is exit code 6, after its logs', async () => {
  appearOnApply();
  bench.server.canned.logs = [{ rank: 0, stream: 'stdout', data: data('out\n') }];
  bench.server.canned.changes = [
    change(
      { phase: 'Failed', reason: 'ApplicationFailure', message: 'rank 0 exited with 1', attempts: [{ number: 1, stage: 'Ended' }] },
      8n,
    ),
  ];
  const ran = await bench.shoal(['run', '--name', 'llama', '--', 'x']);
  expect(ran).toMatchObject({ code: 6, stdout: 'out\n' });
  expect(ran.stderr).toContain('job/llama failed: ApplicationFailure: rank 0 exited with 1\nSee: shoal describe job llama\n');
});

test('Ctrl-C in a pipe leaves the job and says how to go on', async () => {
  const interrupt = new AbortController();
  appearOnApply();
  const ran = await bench.shoal(['run', '--name', 'llama', '--', 'x'], {
    signal: interrupt.signal,
    onOutput: (text) => {
      if (text.includes('pending')) interrupt.abort();
    },
  });
  expect(ran.code).toBe(130);
  expect(ran.stderr).toContain('Left job/llama running.\nWatch it again: shoal logs -f llama\nStop it:        shoal delete job llama\n');
  expect(bench.server.asked.some(({ method }) => method === 'delete')).toBe(false);
});

test('Ctrl-C on a terminal asks, and cancels when told so', async () => {
  const interrupt = new AbortController();
  appearOnApply();
  const ran = await bench.shoal(['run', '--name', 'llama', '--', 'x'], {
    tty: true,
    stdin: 'c\n',
    signal: interrupt.signal,
    onOutput: (text) => {
      if (text.includes('pending')) interrupt.abort();
    },
  });
  expect(ran.code).toBe(130);
  expect(ran.stderr).toContain('job/llama is still there. Detach, or cancel it? [D/c] job/llama is being deleted\n');
  expect(bench.server.asked.some(({ method }) => method === 'delete')).toBe(true);
});
