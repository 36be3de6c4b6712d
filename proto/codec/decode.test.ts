import { describe, expect, test } from 'vitest';
import { decodeManifest } from './decode.ts';
import { didYouMean, editDistance } from '#vocabulary/didYouMean.ts';
import { memberPath, parseFieldPath } from './fieldPath.ts';
import { describeProblem } from './fieldProblem.ts';

const template = { command: ['python', 'train.py'] };

/** A job that is right, but for what is given. */
function job(spec: object, rest: object = {}): unknown {
  return { apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name: 'gpt' }, spec: { template, ...spec }, ...rest };
}

function problemsOf(json: unknown): readonly string[] {
  const result = decodeManifest(json);
  return result.ok ? [] : result.problems.map(describeProblem);
}

const integer = (min: number, max: number): string => `an integer from ${min} to ${max}`;

describe('what a manifest is', () => {
  test.each([
    [null, 'null is empty; a manifest is a mapping with apiVersion, kind, metadata and spec'],
    [[1, 2], '[1,2] is a list; a manifest is a mapping with apiVersion, kind, metadata and spec'],
    ['hello', '"hello" is text; a manifest is a mapping with apiVersion, kind, metadata and spec'],
    [{ kind: 'Queue' }, 'apiVersion: required, but not given; allowed: shoal.dev/v1'],
    [{ apiVersion: 'shoal.dev/v2', kind: 'Queue' }, 'apiVersion: "shoal.dev/v2" is not served; allowed: shoal.dev/v1'],
    [
      { apiVersion: 'shoal.dev/v1' },
      'kind: required, but not given; allowed: TrainingJob, Queue, Reservation, InferenceService, PriceBook',
    ],
    [{ apiVersion: 'shoal.dev/v1', kind: 7 }, 'kind: 7 is a number; allowed: TrainingJob, Queue, Reservation, InferenceService, PriceBook'],
    [
      { apiVersion: 'shoal.dev/v1', kind: 'Trainingjob' },
      'kind: unknown kind "Trainingjob"; known kinds: TrainingJob, Queue, Reservation, InferenceService, PriceBook; did you mean TrainingJob?',
    ],
    [
      { apiVersion: 'shoal.dev/v1', kind: 'Pod' },
      'kind: unknown kind "Pod"; known kinds: TrainingJob, Queue, Reservation, InferenceService, PriceBook',
    ],
    [
      { apiVersion: 'shoal.dev/v1', kind: '__proto__' },
      'kind: unknown kind "__proto__"; known kinds: TrainingJob, Queue, Reservation, InferenceService, PriceBook',
    ],
  ])('%j is refused', (json, want) => {
    expect(problemsOf(json)).toEqual([want]);
  });

  test('status, and what the controller alone writes, is read over, so that printed objects can be applied', () => {
    const json = job(
      {},
      {
        metadata: { name: 'gpt', uid: 'u-1', resourceVersion: '17', creationTimestamp: '2026-11-01T00:00:00Z' },
        status: { phase: 'Running', anything: [1] },
      },
    );
    const result = decodeManifest(json);
    expect(result.ok && result.resource.message.metadata).toMatchObject({ name: 'gpt', uid: '', resourceVersion: 0n });
    expect(result.ok && result.resource.kind === 'TrainingJob' && result.resource.message.status).toBe(undefined);
  });

  test('an empty field is a field that is not given', () => {
    expect(problemsOf(job({ workers: null, checkpoint: null }))).toEqual([]);
    expect(problemsOf(job({ template: null }))).toEqual([
      'spec.template: required, but not given; allowed: a mapping with command, env, image, resources, workingDirectory',
    ]);
  });
});

describe('bad fields, each with its whole message', () => {
  const known =
    'after, array, checkpoint, deadline, elastic, gpuModel, gpuProfile, gpuShare, gpusPerWorker, maxRuntime, mesh, minRuntime, notBefore, placement, preemptible, priority, processesPerWorker, queue, restarts, spares, template, traffic, workers';
  const text = 'text of at most 131072 characters';
  test.each<[string, object, string]>([
    ['misspelled', { gpusPerworker: 1 }, 'spec.gpusPerworker: unknown field `gpusPerworker`; did you mean `gpusPerWorker`?'],
    ['in another case', { gpus_per_worker: 1 }, 'spec.gpus_per_worker: unknown field `gpus_per_worker`; did you mean `gpusPerWorker`?'],
    ['unlike any other', { tolerations: [] }, `spec.tolerations: unknown field \`tolerations\`; known here: ${known}`],
    ['from a prototype', { constructor: 1 }, `spec.constructor: unknown field \`constructor\`; known here: ${known}`],
    ['with odd letters', { 'a b': 1 }, `spec["a b"]: unknown field \`a b\`; known here: ${known}`],
    ['text for an integer', { workers: '4' }, `spec.workers: "4" is text; allowed: ${integer(1, 16384)}`],
    ['a list for an integer', { workers: [4] }, `spec.workers: [4] is a list; allowed: ${integer(1, 16384)}`],
    ['half an integer', { workers: 2.5 }, `spec.workers: 2.5 is not an integer; allowed: ${integer(1, 16384)}`],
    ['not a number', { workers: Number.NaN }, `spec.workers: NaN is not an integer; allowed: ${integer(1, 16384)}`],
    ['zero workers', { workers: 0 }, `spec.workers: 0 is out of range; allowed: ${integer(1, 16384)}`],
    ['too many workers', { workers: 1e9 }, `spec.workers: 1000000000 is out of range; allowed: ${integer(1, 16384)}`],
    ['a negative priority', { priority: -1 }, `spec.priority: -1 is out of range; allowed: ${integer(0, 100)}`],
    ['text for a boolean', { preemptible: 'yes' }, 'spec.preemptible: "yes" is text; allowed: true or false'],
    [
      'one of a few words',
      { processesPerWorker: 'gpus' },
      'spec.processesPerWorker: "gpus" is not allowed; allowed: worker, gpu; did you mean gpu?',
    ],
    [
      'a name',
      { queue: 'My Queue' },
      'spec.queue: "My Queue" is not allowed; allowed: a name of at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
    ],
    [
      'a duration',
      { maxRuntime: '5 minutes' },
      'spec.maxRuntime: "5 minutes" is not allowed; allowed: a duration such as 30s, 5m, 1h30m or 7d',
    ],
    [
      'a number as duration',
      { maxRuntime: 90 },
      'spec.maxRuntime: 90 is a number, put it in quotes to make it text; allowed: a duration such as 30s, 5m, 1h30m or 7d',
    ],
    [
      'a quantity',
      { template: { ...template, resources: { cpu: '1 core' } } },
      'spec.template.resources.cpu: "1 core" is not allowed; allowed: a quantity such as 500m, 1.5 or 64',
    ],
    [
      'bytes',
      { template: { ...template, resources: { memory: '4GB' } } },
      'spec.template.resources.memory: "4GB" is not allowed; allowed: an amount of memory such as 512Mi, 64Gi or 1.5G',
    ],
    [
      'a GPU profile',
      { gpuProfile: '1g10gb' },
      'spec.gpuProfile: "1g10gb" is not allowed; allowed: a MIG profile such as 1g.10gb or 1g.10gb+me',
    ],
    [
      'a GPU model',
      { gpuModel: ['H100', 'H 200'] },
      'spec.gpuModel[1]: "H 200" is not allowed; allowed: a GPU model such as H100: at most 63 letters, digits, "-", "_" and "."',
    ],
    [
      'text for a list',
      { gpuModel: 'H100' },
      'spec.gpuModel: "H100" is text; allowed: a list of at most 16 entries, each a GPU model such as H100: at most 63 letters, digits, "-", "_" and "."',
    ],
    ['an unknown axis', { mesh: { tensr: 2 } }, 'spec.mesh.tensr: unknown key `tensr`; did you mean `tensor`?'],
    ['a mesh of zero', { mesh: { tensor: 0 } }, `spec.mesh.tensor: 0 is out of range; allowed: ${integer(1, 131072)}`],
    [
      'a list for a mapping',
      { mesh: [2, 2] },
      `spec.mesh: [2,2] is a list; allowed: a mapping of pipeline, data, context, expert, tensor, each ${integer(1, 131072)}`,
    ],
    [
      'text for a mapping',
      { checkpoint: './here' },
      'spec.checkpoint: "./here" is text; allowed: a mapping with directory, grace, interval, keep',
    ],
    [
      'a required field',
      { checkpoint: {} },
      'spec.checkpoint.directory: required, but not given; allowed: text of at most 4096 characters',
    ],
    [
      'a required field, empty',
      { checkpoint: { directory: '' } },
      'spec.checkpoint.directory: required, but empty; allowed: text of at most 4096 characters',
    ],
    ['no command', { template: { command: [] } }, 'spec.template.command: 0 entries; allowed: 1 to 1024'],
    [
      'a number in a command',
      { template: { command: ['a', 200] } },
      `spec.template.command[1]: 200 is a number, put it in quotes to make it text; allowed: ${text}`,
    ],
    [
      'a boolean in the environment',
      { template: { ...template, env: { DEBUG: true } } },
      `spec.template.env.DEBUG: true is true or false, put it in quotes to make it text; allowed: ${text}`,
    ],
    [
      'a NUL character',
      { template: { command: ['a\0b'] } },
      `spec.template.command[0]: "a\\u0000b" holds a NUL character; allowed: ${text}`,
    ],
    ['an empty entry of a list', { template: { command: ['a', null] } }, `spec.template.command[1]: null is empty; allowed: ${text}`],
    [
      'deep inside a list',
      { placement: { constraints: [{ level: 'rack' }, { levle: 'zone', level: 'zone' }] } },
      'spec.placement.constraints[1].levle: unknown field `levle`; did you mean `level`?',
    ],
    [
      'a long value',
      { queue: 'x'.repeat(300) },
      `spec.queue: "${'x'.repeat(58)}… is not allowed; allowed: a name of at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends`,
    ],
    [
      'too long a text',
      { template: { ...template, workingDirectory: 'x'.repeat(5000) } },
      `spec.template.workingDirectory: "${'x'.repeat(58)}… has 5000 characters; allowed: text of at most 4096 characters`,
    ],
    [
      'a huge value',
      { workers: { a: 'x'.repeat(1e6), b: 1 } },
      `spec.workers: {"a":"${'x'.repeat(53)}… is a mapping; allowed: ${integer(1, 16384)}`,
    ],
  ])('%s', (_, spec, want) => {
    expect(problemsOf(job(spec))).toEqual([want]);
  });

  test.each<[string, object, string]>([
    [
      'label key',
      { labels: { '-x': 'y' } },
      'metadata.labels.-x: key "-x" is not allowed; allowed: a label key such as team or example.org/team',
    ],
    [
      'label value',
      { labels: { 'a.org/team': 'a b' } },
      'metadata.labels["a.org/team"]: "a b" is not allowed; allowed: a label value: at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
    ],
    [
      'prototype as a key',
      { annotations: JSON.parse('{"__proto__": "x"}') as unknown },
      'metadata.annotations.__proto__: key "__proto__" is not allowed; allowed: 1 to 253 characters',
    ],
    ['empty key', { annotations: { '': 'x' } }, 'metadata.annotations[""]: key "" is not allowed; allowed: 1 to 253 characters'],
  ])('%s', (_, metadata, want) => {
    expect(problemsOf(job({}, { metadata: { name: 'gpt', ...metadata } }))).toEqual([want]);
  });

  test('all are told at once, at most fifty', () => {
    expect(problemsOf(job({ workers: 0, queue: 'A', nope: 1 }))).toHaveLength(3);
    expect(problemsOf(job(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x${index}`, 1]))))).toHaveLength(50);
  });

  test('a list that is too long is not looked through', () => {
    expect(problemsOf(job({ template: { command: Array.from({ length: 1_000_000 }, () => 1) } }))).toEqual([
      'spec.template.command: 1000000 entries; allowed: 1 to 1024',
    ]);
  });

  test('nesting that is too deep is refused where it is', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(problemsOf(job({ mesh: { data: deep } }))).toEqual([`spec.mesh.data${'[0]'.repeat(29)}: nested deeper than 32 levels`]);
  });

  test('a quantity may be written as a number', () => {
    const result = decodeManifest(job({ template: { ...template, resources: { cpu: 64, memory: 1073741824 } } }));
    const resources = result.ok && result.resource.kind === 'TrainingJob' ? result.resource.message.spec?.template?.resources : undefined;
    expect(resources).toMatchObject({ cpu: '64', memory: '1073741824' });
  });

  test('cron fields and 64-bit integers are checked in kinds that are only parsed', () => {
    const service = (at: string): unknown => ({
      apiVersion: 'shoal.dev/v1',
      kind: 'InferenceService',
      metadata: { name: 's' },
      spec: { roles: [{ name: 'r', unit: { workers: 1, gpusPerWorker: 8 }, template }], scale: { schedule: [{ at }] } },
    });
    expect(problemsOf(service('*/5 0-6,22 * * 1-5'))).toEqual([]);
    expect(problemsOf(service('61 * * * *'))).toEqual([
      'spec.scale.schedule[0].at: "61 * * * *" is not allowed; allowed: five cron fields such as "30 8 * * *"',
    ]);
    const book = {
      apiVersion: 'shoal.dev/v1',
      kind: 'PriceBook',
      metadata: { name: 'b' },
      spec: { currency: 'USD', tokens: { m: { per: 1_000_000 } } },
    };
    const decoded = decodeManifest(book);
    expect(decoded.ok && decoded.resource.kind === 'PriceBook' && decoded.resource.message.spec?.tokens['m']?.per).toBe(1_000_000n);
  });
});

test('four thousand small jobs are decoded in less than a second', () => {
  const jobs = Array.from({ length: 4000 }, (_, index) =>
    job({ workers: 4, mesh: { data: 2, tensor: 2 }, queue: 'research' }, { metadata: { name: `j${index}`, labels: { a: 'b' } } }),
  );
  const start = performance.now();
  expect(jobs.every((json) => decodeManifest(json).ok)).toBe(true);
  expect(performance.now() - start).toBeLessThan(1000);
});

test('the nearest word is meant, and none that is far away', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('levle', 'level')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(didYouMean('restart', ['restarts', 'resources'])).toBe('restarts');
  expect(didYouMean('image', ['command', 'env'])).toBe(undefined);
});

test('paths are read back as they were written', () => {
  const path = memberPath(memberPath(memberPath('', 'metadata'), 'labels'), 'a.org/"x"\\');
  expect(parseFieldPath(path)).toEqual(['metadata', 'labels', 'a.org/"x"\\']);
  expect(parseFieldPath('spec.template.command[12]')).toEqual(['spec', 'template', 'command', 12]);
  expect(parseFieldPath('spec.!')).toBe(undefined);
});
