/** What a wrong manifest is answered with, by the real CLI and the real server, word for word; and that nothing changes. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { assert } from '#vocabulary/assert.ts';
import { runCli, type Said } from './cli.ts';
import { Cluster } from './cluster.ts';
import { job, training } from './jobs.ts';
import { test } from './linuxTest.ts';
import { apply, create, printAttempts, untilCheckpoint, untilFinished } from './questions.ts';

let cluster: Cluster | null = null;

function ground(): Cluster {
  assert(cluster !== null, 'the cluster was started');
  return cluster;
}

beforeAll(async () => {
  cluster = await Cluster.make({ nodes: [{ name: 'n1' }] });
  await cluster.start();
});
afterAll(() => cluster?.clear());

const head = 'apiVersion: shoal.dev/v1\nkind: TrainingJob\nmetadata:\n  name: wrong\n';
const template = '  template:\n    command: [sleep, "1"]\n';

async function applyFile(text: string): Promise<Said> {
  const file = join(ground().work, 'job.yaml');
  await writeFile(file, text);
  return runCli(ground(), ['apply', '-f', 'job.yaml']);
}

describe('a wrong manifest is refused with the field, the value and what is allowed, and nothing changes', () => {
  let revision = 0n;
  beforeEach(async () => {
    ({ revision } = await ground().client.info({}));
  });

  const cases: readonly { readonly what: string; readonly text: string; readonly want: readonly string[] }[] = [
    {
      what: 'an unknown field',
      text: `${head}spec:\n  gpusPerWorkr: 2\n${template}`,
      want: ['Error: job.yaml:6:3: spec.gpusPerWorkr: unknown field `gpusPerWorkr`; did you mean `gpusPerWorker`?'],
    },
    {
      what: 'an unknown field deep inside',
      text: `${head}spec:\n  template:\n    comand: [sleep, "1"]\n`,
      want: [
        'Error: job.yaml:7:5: spec.template.comand: unknown field `comand`; did you mean `command`?',
        'Error: job.yaml:6:3: spec.template.command: required, but not given; allowed: a list of 1 to 1024 entries, each text of at most 131072 characters',
      ],
    },
    {
      what: 'a wrong type',
      text: `${head}spec:\n  workers: many\n${template}`,
      want: ['Error: job.yaml:6:3: spec.workers: "many" is text; allowed: an integer from 1 to 16384'],
    },
    {
      what: 'a list where text is wanted',
      text: `${head}spec:\n  queue: [a, b]\n${template}`,
      want: [
        'Error: job.yaml:6:3: spec.queue: ["a","b"] is a list; allowed: a name of at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
      ],
    },
    {
      what: 'a mesh that is not workers x GPUs',
      text: `${head}spec:\n  workers: 4\n  gpusPerWorker: 2\n  mesh: {data: 2, tensor: 2}\n${template}`,
      want: ['Error: job.yaml:8:3: spec.mesh: data 2 x tensor 2 = 4 GPUs, but workers 4 x gpusPerWorker 2 = 8 GPUs'],
    },
    {
      what: 'no workers',
      text: `${head}spec:\n  workers: 0\n${template}`,
      want: ['Error: job.yaml:6:3: spec.workers: 0 is out of range; allowed: an integer from 1 to 16384'],
    },
    {
      what: 'a huge number of workers',
      text: `${head}spec:\n  workers: 1000000\n${template}`,
      want: ['Error: job.yaml:6:3: spec.workers: 1000000 is out of range; allowed: an integer from 1 to 16384'],
    },
    {
      what: 'a number beyond 32 bits',
      text: `${head}spec:\n  workers: 9999999999\n${template}`,
      want: ['Error: job.yaml:6:3: spec.workers: 9999999999 is out of range; allowed: an integer from 1 to 16384'],
    },
    {
      what: 'a fraction of a worker',
      text: `${head}spec:\n  workers: 1.5\n${template}`,
      want: ['Error: job.yaml:6:3: spec.workers: 1.5 is not an integer; allowed: an integer from 1 to 16384'],
    },
    {
      what: 'no command',
      text: `${head}spec:\n  template:\n    command: []\n`,
      want: ['Error: job.yaml:7:5: spec.template.command: 0 entries; allowed: 1 to 1024'],
    },
    {
      what: 'an unknown queue',
      text: `${head}spec:\n  queue: defualt\n${template}`,
      want: ['Error: job.yaml:6:3: spec.queue: queue "defualt" does not exist; did you mean "default"? (queues: default)'],
    },
    {
      what: 'an unknown kind',
      text: `apiVersion: shoal.dev/v1\nkind: TraningJob\nmetadata: {name: wrong}\n`,
      want: [
        'Error: job.yaml:2:1: kind: unknown kind "TraningJob"; known kinds: TrainingJob, Queue, Reservation, InferenceService, PriceBook; did you mean TrainingJob?',
      ],
    },
    {
      what: 'a name that is none',
      text: `apiVersion: shoal.dev/v1\nkind: TrainingJob\nmetadata: {name: Wrong_Name}\nspec:\n${template}`,
      want: [
        'Error: job.yaml:3:12: metadata.name: "Wrong_Name" is not allowed; allowed: a name of at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
      ],
    },
    {
      what: 'YAML that is none',
      text: `${head}spec:\n  workers: [1, 2\n${template}`,
      want: ['Error: job.yaml:7:3: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    },
    {
      what: 'a key given twice',
      text: `${head}spec:\n  workers: 1\n  workers: 2\n${template}`,
      want: ['Error: job.yaml:7:3: duplicate key "workers"'],
    },
    {
      what: 'several wrong fields at once',
      text: `${head}spec:\n  workers: 0\n  priority: 101\n  gpuShare: 500m\n${template}`,
      want: [
        'Error: job.yaml:6:3: spec.workers: 0 is out of range; allowed: an integer from 1 to 16384',
        'Error: job.yaml:7:3: spec.priority: 101 is out of range; allowed: an integer from 0 to 100',
      ],
    },
  ];

  const expectRefused = async (said: Said, want: readonly string[]): Promise<void> => {
    expect(said.stderr.trimEnd().split('\n')).toEqual(want);
    expect(said).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await ground().client.info({})).revision).toBe(revision);
  };

  for (const { what, text, want } of cases) {
    test(what, async () => {
      await expectRefused(await applyFile(text), want);
    });
  }

  test('a kind that is not served yet', async () => {
    const service = fileURLToPath(new URL('../fixtures/manifests/assistant-service.yaml', import.meta.url));
    await expectRefused(await runCli(ground(), ['apply', '-f', service]), [
      `Error: ${service}:3:1: kind: InferenceService is not served yet by this version; served: TrainingJob, Queue, Reservation`,
    ]);
  });

  test('a manifest of 10 MB, as a file, on stdin, and sent past the CLI', async () => {
    const big = `${head}  annotations: {note: "${'x'.repeat(10 * 1024 * 1024)}"}\nspec:\n${template}`;
    await expectRefused(await applyFile(big), ['Error: job.yaml: 10.0 MiB is more than the limit of 8 MiB']);
    await expectRefused(await runCli(ground(), ['apply', '-f', '-'], big), ['Error: stdin: more than the limit of 8 MiB']);
    const sent = apply(ground(), { ...job({ name: 'wrong', command: ['true'] }), note: 'x'.repeat(10 * 1024 * 1024) });
    await expect(sent).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^documents: 1048\d{4} bytes are given; at most 8388608 a call$/),
    });
    expect((await ground().client.info({})).revision).toBe(revision);
  });

  test('a file that is not there', async () => {
    await expectRefused(await runCli(ground(), ['apply', '-f', 'missing.yaml']), ['Error: missing.yaml: no such file or folder']);
  });
});

test('one wrong document does not hold up the others', async () => {
  const good = (name: string): string => `apiVersion: shoal.dev/v1\nkind: Queue\nmetadata: {name: ${name}}\nspec: {}\n`;
  const said = await applyFile([good('first'), `${head}spec:\n  workers: 0\n${template}`, good('second')].join('---\n'));
  expect(said).toEqual({
    exitCode: 1,
    stdout: 'queue/first created\nqueue/second created\n',
    stderr: 'Error: job.yaml:11:3: spec.workers: 0 is out of range; allowed: an integer from 1 to 16384\n',
  });
});

test('a name that is taken by another job is refused, and the job stays as it was', async () => {
  await create(ground(), job({ name: 'taken', gpusPerWorker: 0, command: ['true'] }));
  await untilFinished(ground(), 'taken', 'Succeeded');
  const { revision } = await ground().client.info({});
  const said = await applyFile(`${head.replace('wrong', 'taken')}spec:\n  workers: 2\n${template}`);
  const why =
    'job taken has been placed and its workers cannot change any more (priority, preemptible, restarts, spares, after, avoidNodes, notBefore, deadline, minRuntime and maxRuntime can)';
  expect(said).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `Error: job.yaml:6:3: spec.workers: ${why}; delete it first or take another name\n`,
  });
  expect((await ground().client.info({})).revision).toBe(revision);
});

describe('what only the node can find out ends the job with a message that names the thing', () => {
  test('a command that does not exist', async () => {
    await create(ground(), job({ name: 'no-command', command: ['no-such-program', '--help'] }));
    const { message, attempts } = await untilFinished(ground(), 'no-command', 'Failed');
    expect(message).toBe(
      `worker 0 on n1 could not be started: rank 0: command "no-such-program" is not found in PATH (${ground().env['PATH']})`,
    );
    expect(printAttempts(attempts)).toEqual(['1 LaunchFailure charged']);
  });

  test('a working directory that does not exist', async () => {
    const base = job({ name: 'no-folder', command: ['true'], workingDirectory: '/no/such/folder' });
    await create(ground(), base);
    const { message } = await untilFinished(ground(), 'no-folder', 'Failed');
    expect(message).toBe('worker 0 on n1 could not be started: rank 0: working directory /no/such/folder does not exist');
  });

  test('a checkpoint folder that cannot be written from the start', async () => {
    await writeFile(join(ground().work, 'in-the-way'), '');
    await create(ground(), training({ name: 'in-the-way', out: ground().work, steps: 30 }));
    const { message, attempts } = await untilFinished(ground(), 'in-the-way', 'Failed');
    const folder = join(ground().work, 'in-the-way', 'attempt-1');
    expect(message).toBe(
      `worker 0 on n1 could not be started: rank 0: checkpoint folder ${folder} cannot be written: ENOTDIR: not a directory, mkdir '${folder}'`,
    );
    expect(printAttempts(attempts)).toEqual(['1 LaunchFailure charged']);
  });

  test('a checkpoint folder that cannot be written any more while the job runs', async () => {
    await create(ground(), training({ name: 'later', out: ground().work, steps: 300 }));
    await untilCheckpoint(ground(), 'later', 10);
    const folder = join(ground().work, 'later', 'attempt-1');
    await rename(folder, `${folder}-moved`);
    await writeFile(folder, 'a file where the folder was');
    const { message, checkpoint } = await untilFinished(ground(), 'later', 'Failed');
    expect(message).toBe('rank 0 on n1 exited with 1');
    const { stdout } = await runCli(ground(), ['logs', 'later', '--rank', '0']);
    expect(stdout).toMatch(/^cannot write the checkpoint of step/);
    expect(checkpoint?.step).toBeLessThan(300n);
  });
});
