import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RpcError } from '#rpc/rpcError.ts';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  Object.assign(bench.server.canned, {
    refuse: {},
    changes: [],
    resources: [trainingJob('llama'), trainingJob('gpt-tiny')],
    tables: {
      TrainingJob: {
        columns: [{ name: 'Name' }, { name: 'Phase' }, { name: 'GPUs' }, { name: 'Age' }, { name: 'User', priority: 1 }],
        rows: [row('llama', ['llama', 'Running', '64', '5d3h', 'ada']), row('gpt-tiny', ['gpt-tiny', 'Pending', '4', '12s', 'bob'])],
      },
      Node: { columns: [{ name: 'Name' }], rows: [] },
    },
  });
});

function row(name: string, cells: string[], kind = 'TrainingJob') {
  return { object: { kind, name }, cells };
}

function trainingJob(name: string) {
  return {
    object: {
      case: 'trainingJob' as const,
      value: {
        apiVersion: 'shoal.dev/v1',
        kind: 'TrainingJob',
        metadata: { name, uid: `uid-${name}`, labels: { project: 'assistant' }, resourceVersion: 7n },
        spec: { queue: 'research', workers: 4, mesh: { data: 2, tensor: 2 }, template: { command: ['python', 'train.py'] } },
        status: { phase: 'Pending', reason: 'InsufficientGpus' },
      },
    },
  };
}

test('a table is left aligned with three spaces between columns and no wide columns', async () => {
  const want = ['NAME       PHASE     GPUS   AGE', 'llama      Running   64     5d3h', 'gpt-tiny   Pending   4      12s', ''].join('\n');
  expect(await bench.shoal(['get', 'jobs'])).toEqual({ code: 0, stdout: want, stderr: '' });
  expect(await bench.shoal(['get', 'jobs'], { tty: true })).toEqual({ code: 0, stdout: want, stderr: '' });
});

test.each(['job', 'j', 'TrainingJobs', 'tj'])('the type may be written %s', async (type) => {
  const { stdout } = await bench.shoal(['get', type, '--no-headers']);
  expect(stdout).toBe('llama      Running   64   5d3h\ngpt-tiny   Pending   4    12s\n');
});

test('-o wide adds the columns of priority 1', async () => {
  const { stdout } = await bench.shoal(['get', 'jobs', '-o', 'wide']);
  expect(stdout.split('\n')[0]).toBe('NAME       PHASE     GPUS   AGE    USER');
});

test('a name that does not exist is an error with exit code 3, and what exists is still printed', async () => {
  expect(await bench.shoal(['get', 'job/llama', 'job/gpt-tny'])).toEqual({
    code: 3,
    stdout: 'NAME    PHASE     GPUS   AGE\nllama   Running   64     5d3h\n',
    stderr: 'Error from server (NotFound): jobs "gpt-tny" not found\nDid you mean "gpt-tiny"?\nList them: shoal get jobs\n',
  });
  expect(await bench.shoal(['get', 'job', 'nothing-like-it', '--ignore-not-found'])).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('nothing to show is said on stderr with exit code 0', async () => {
  expect(await bench.shoal(['get', 'nodes'])).toEqual({ code: 0, stdout: '', stderr: 'No resources found\n' });
});

test('one named object is printed as YAML with the keys in the usual order', async () => {
  expect((await bench.shoal(['get', 'job', 'gpt-tiny', '-o', 'yaml'])).stdout).toBe(
    [
      'apiVersion: shoal.dev/v1',
      'kind: TrainingJob',
      'metadata:',
      '  name: gpt-tiny',
      '  uid: uid-gpt-tiny',
      '  labels:',
      '    project: assistant',
      '  resourceVersion: "7"',
      'spec:',
      '  queue: research',
      '  workers: 4',
      '  mesh:',
      '    data: 2',
      '    tensor: 2',
      '  template:',
      '    command:',
      '      - python',
      '      - train.py',
      'status:',
      '  phase: Pending',
      '  reason: InsufficientGpus',
      '',
    ].join('\n'),
  );
});

test('several objects are wrapped in a List', async () => {
  const { stdout } = await bench.shoal(['get', 'jobs', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({
    apiVersion: 'shoal.dev/v1',
    kind: 'List',
    items: [{ metadata: { name: 'llama' } }, { metadata: { name: 'gpt-tiny' } }],
  });
  expect((await bench.shoal(['get', 'jobs', '-o', 'name'])).stdout).toBe('job/llama\njob/gpt-tiny\n');
});

test('rows of several types carry the type in the name', async () => {
  const canned = bench.server.canned;
  canned.tables['Queue'] = { columns: [{ name: 'Name' }], rows: [row('research', ['research'], 'Queue')] };
  const { stdout } = await bench.shoal(['get', 'jobs,queues', '--no-headers']);
  expect(stdout).toBe('job/llama      Running   64   5d3h\njob/gpt-tiny   Pending   4    12s\n\nqueue/research\n');
});

test('the selector goes to the server', async () => {
  await bench.shoal(['get', 'jobs', '-l', 'project=assistant,team==nlp']);
  expect(bench.server.asked.at(-1)?.request).toMatchObject({ labelSelector: { project: 'assistant', team: 'nlp' } });
});

test('a watch appends rows under the widths seen and ends with 130 at Ctrl-C', async () => {
  bench.server.canned.changes = [
    {
      type: 'MODIFIED',
      revision: 8n,
      table: {
        columns: bench.server.canned.tables['TrainingJob']?.columns ?? [],
        rows: [row('gpt-tiny', ['gpt-tiny', 'Running', '4', '20s', 'bob'])],
      },
    },
  ];
  const interrupt = new AbortController();
  const onOutput = (text: string): void => {
    if (text.includes('20s')) interrupt.abort();
  };
  const ran = await bench.shoal(['get', 'jobs', '-w'], { signal: interrupt.signal, onOutput });
  expect(ran).toEqual({
    code: 130,
    stdout:
      'NAME       PHASE     GPUS   AGE\nllama      Running   64     5d3h\ngpt-tiny   Pending   4      12s\ngpt-tiny   Running   4      20s\n',
    stderr: '',
  });
  expect(bench.server.asked.at(-1)).toMatchObject({ method: 'watch', request: { afterRevision: 7n, table: true } });
});

test('escapes in cells are shown on a terminal and left alone in a pipe', async () => {
  bench.server.canned.tables['Node'] = { columns: [{ name: 'Name' }], rows: [row('n', ['a\u001b[31mb\nc'], 'Node')] };
  expect((await bench.shoal(['get', 'nodes'], { tty: true })).stdout).toBe('NAME\na^[[31mb\\nc\n');
  expect((await bench.shoal(['get', 'nodes'])).stdout).toBe('NAME\na\u001b[31mb\\nc\n');
});

test.each([
  [
    ['get', 'jbos'],
    'error: the server doesn\'t have a resource type "jbos"\nDid you mean "jobs"?\nTypes: jobs, nodes, gpus, queues, reservations, events\n',
  ],
  [['get', 'jobs', '-o', 'xml'], 'error: --output "xml" is not known; allowed: wide, json, yaml, name\n'],
  [['get', 'job/a', 'b'], 'error: "b" is not of the form TYPE/NAME\n'],
  [['get', 'jobs', '--wach'], 'error: unknown option \'--wach\'\nDid you mean "--watch"?\nSee: shoal get --help\n'],
  [['gett', 'jobs'], 'error: unknown command \'gett\'\nDid you mean "get"?\nSee: shoal help\n'],
  [['get'], "error: missing required argument 'what'\nSee: shoal get --help\n"],
])('%j is wrong usage: exit code 2', async (words, stderr) => {
  expect(await bench.shoal(words)).toEqual({ code: 2, stdout: '', stderr });
});

test.each([
  ['PERMISSION_DENIED', 'user bob may not list jobs', 4, 'Error from server (Forbidden): user bob may not list jobs\n'],
  ['FAILED_PRECONDITION', 'it is stopping', 5, 'Error from server (Conflict): it is stopping\n'],
  [
    'UNAVAILABLE',
    'the store cannot be written: disk full',
    1,
    'Error from server (ServiceUnavailable): the store cannot be written: disk full\n',
  ],
  ['DEADLINE_EXCEEDED', 'too late', 124, 'Error from server (Timeout): too late\n'],
] as const)('%s of the server becomes its exit code', async (code, message, exitCode, stderr) => {
  bench.server.canned.refuse['list'] = new RpcError(code, message);
  expect(await bench.shoal(['get', 'jobs'])).toEqual({ code: exitCode, stdout: '', stderr });
});
