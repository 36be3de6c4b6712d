import { readFileSync } from 'node:fs';
import { toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QueueSpecSchema } from '#gen/shoal/v1/queue_pb.js';
import { queueName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { unaskedSpec } from '#vocabulary/job.ts';
import { defaultQueueSpec, type QueueSpec } from '#vocabulary/queue.ts';
import { decodeManifest } from './decode.ts';
import { describeProblem } from './fieldProblem.ts';
import { compileManifest } from './manifest.ts';
import { parseManifests } from './manifestYaml.ts';
import { queueSpecToWire } from './queue.ts';

const template = { command: ['python', 'train.py'] };
const head = { apiVersion: 'shoal.dev/v1', metadata: { name: 'gpt' } };
const job = (spec: object): unknown => ({ ...head, kind: 'TrainingJob', spec: { template, ...spec } });
const queue = (spec: object): unknown => ({ ...head, kind: 'Queue', spec });

function compiledJob(json: unknown) {
  const result = compileManifest(json);
  if (!result.ok || result.kind !== 'TrainingJob')
    throw new Error(result.ok ? result.kind : result.problems.map(describeProblem).join('\n'));
  return result;
}

function compiledQueue(json: unknown) {
  const result = compileManifest(json);
  if (!result.ok || result.kind !== 'Queue') throw new Error(result.ok ? result.kind : result.problems.map(describeProblem).join('\n'));
  return result;
}

function problemsOf(json: unknown): readonly string[] {
  const result = compileManifest(json);
  return result.ok ? [] : result.problems.map(describeProblem);
}

describe('the manifests that users will apply', () => {
  const documents = (file: string): readonly unknown[] => {
    const parsed = parseManifests(readFileSync(new URL(`../../test/fixtures/manifests/${file}`, import.meta.url), 'utf8'), file);
    return parsed.ok ? parsed.documents.map(({ json }) => json) : [];
  };

  test.each([
    ['assistant-service.yaml', ['InferenceService']],
    ['elastic-sweep.yaml', ['TrainingJob', 'TrainingJob']],
    ['queues.yaml', ['Queue', 'Queue', 'Queue', 'PriceBook']],
    ['train-gpt.yaml', ['TrainingJob']],
    ['v3-pretrain.yaml', ['TrainingJob']],
  ])('%s parses', (file, want) => {
    const decoded = documents(file).map((json) => decodeManifest(json));
    expect(decoded.map((result) => (result.ok ? result.resource.kind : result.problems))).toEqual(want);
  });

  test('each is served, or refused with what is not served yet', () => {
    const outcomes = ['assistant-service.yaml', 'elastic-sweep.yaml', 'queues.yaml', 'train-gpt.yaml', 'v3-pretrain.yaml'].flatMap((file) =>
      documents(file).map((json) => {
        const result = compileManifest(json);
        const lines = result.ok ? result.warnings : [result.code, ...result.problems.map(describeProblem)];
        return [`${result.kind}/${result.name} ${result.ok ? 'served' : 'refused'}`, ...lines].join('\n  ');
      }),
    );
    expect(`\n${outcomes.join('\n')}\n`).toBe(`
InferenceService/assistant refused
  UNIMPLEMENTED
  kind: InferenceService is not served yet by this version; served: TrainingJob, Queue, Reservation
TrainingJob/sweep served
TrainingJob/notebook served
Queue/org served
Queue/serving served
Queue/research served
PriceBook/default refused
  UNIMPLEMENTED
  kind: PriceBook is not served yet by this version; served: TrainingJob, Queue, Reservation
TrainingJob/gpt-tiny served
TrainingJob/v3-pretrain refused
  INVALID_ARGUMENT
  spec.template.image: not served by this version
`);
  });
});

describe('a job', () => {
  test('has every default filled in', () => {
    const want: JobSpec = {
      ...unaskedSpec,
      queue: queueName('default'),
      priority: 20,
      preemptible: true,
      gpuModels: [],
      workers: 1,
      gpusPerWorker: 1,
      gpuShareMilli: null,
      gpuProfile: null,
      processesPerWorker: 'worker',
      mesh: [],
      constraints: [],
      checkpoint: null,
      restarts: { max: 0, withinMs: null },
      maxRuntimeMs: null,
      template: { command: ['python', 'train.py'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null },
      unserved: {},
    };
    expect(compiledJob(job({})).spec).toEqual(want);
    expect(compiledJob(job({ checkpoint: { directory: 'c' } })).spec.checkpoint).toEqual({
      directory: 'c',
      intervalMs: null,
      graceMs: 30_000,
      keep: null,
    });
  });

  test('gets its workers from its mesh, whose axes are put in order', () => {
    const { spec } = compiledJob(job({ gpusPerWorker: 8, mesh: { data: 2, expert: 64, pipeline: 16 } }));
    expect(spec.workers).toBe(256);
    expect(spec.mesh).toEqual([
      { axis: 'pipeline', size: 16 },
      { axis: 'data', size: 2 },
      { axis: 'expert', size: 64 },
    ]);
  });

  test('keeps what is not served, with a warning each', () => {
    const { spec, warnings } = compiledJob(
      job({
        spares: 2,
        workers: 4,
        elastic: { minWorkers: 2, maxWorkers: 8 },
        placement: {
          constraints: [
            { level: 'zone', mode: 'required' },
            { level: 'rack', mode: 'preferred', wait: '10m' },
          ],
        },
        template: { ...template, resources: { sharedMemory: '64Gi' } },
      }),
    );
    expect(spec.unserved).toEqual({
      'spec.template.resources.sharedMemory': '"64Gi"',
    });
    expect(warnings).toEqual(['spec.template.resources.sharedMemory has no effect in this version']);
    expect(spec.elastic).toEqual({ minWorkers: 2, maxWorkers: 8 });
  });

  test.each<[string, object, string]>([
    [
      'mesh against workers',
      { workers: 3, mesh: { data: 2, tensor: 2 } },
      'spec.mesh: data 2 x tensor 2 = 4 GPUs, but workers 3 x gpusPerWorker 1 = 3 GPUs',
    ],
    [
      'mesh that does not divide',
      { gpusPerWorker: 8, mesh: { data: 12 } },
      'spec.mesh: data 12 = 12 GPUs, which is no multiple of gpusPerWorker 8',
    ],
    ['mesh without GPUs', { gpusPerWorker: 0, mesh: { data: 2 } }, 'spec.mesh: data 2 = 2 GPUs, but gpusPerWorker is 0'],
    [
      'mesh beyond what a double holds',
      { mesh: { data: 131072, tensor: 131072, expert: 131072, pipeline: 131072 } },
      'spec.mesh: pipeline 131072 x data 131072 x expert 131072 x tensor 131072 = 295147905179352825856 GPUs; allowed: at most 131072',
    ],
    [
      'mesh of too many workers',
      { mesh: { data: 131072 } },
      'spec.mesh: data 131072 = 131072 GPUs / gpusPerWorker 1 = 131072 workers; allowed: at most 16384',
    ],
    [
      'too large a world',
      { workers: 16384, gpusPerWorker: 64 },
      'spec.workers: workers 16384 x gpusPerWorker 64 = 1048576 GPUs; allowed: at most 131072',
    ],
    [
      'a level twice',
      { placement: { constraints: [{ level: 'rack' }, { level: 'zone' }, { level: 'rack' }] } },
      'spec.placement.constraints[2].level: "rack" is given twice; first in spec.placement.constraints[0].level',
    ],
    ['a model twice', { gpuModel: ['H100', 'H100'] }, 'spec.gpuModel[1]: "H100" is given twice; first in spec.gpuModel[0]'],
    [
      'elastic out of its bounds',
      { workers: 1, elastic: { minWorkers: 2, maxWorkers: 8 } },
      'spec.elastic: spec.workers 1, at which it starts, is outside; allowed: minWorkers 2 to maxWorkers 8',
    ],
    [
      'elastic upside down',
      { workers: 4, elastic: { minWorkers: 8, maxWorkers: 2 } },
      'spec.elastic: minWorkers 8 is more than maxWorkers 2',
    ],
    [
      'elastic beyond all bounds',
      { workers: 4, gpusPerWorker: 64, elastic: { minWorkers: 2, maxWorkers: 4096 } },
      'spec.elastic: maxWorkers 4096 x gpusPerWorker 64 = 262144 GPUs; allowed: at most 131072',
    ],
    [
      'elastic that starts between its sizes',
      { workers: 6, elastic: { minWorkers: 3, maxWorkers: 16 }, placement: { segments: [{ level: 'rack', workers: 4 }] } },
      'spec.elastic: spec.workers 6 = 1 x 4 + 2 is no multiple of 4 workers (segments are of 4 workers); allowed: 4, 8, 12, …',
    ],
    [
      'elastic without any size',
      { workers: 6, elastic: { minWorkers: 5, maxWorkers: 7 }, placement: { segments: [{ level: 'rack', workers: 4 }] } },
      'spec.elastic: no size from minWorkers 5 to maxWorkers 7 is a multiple of 4 workers (segments are of 4 workers)',
    ],
    [
      'a window without restarts',
      { restarts: { within: '1h' } },
      'spec.restarts.within: given, but spec.restarts.max is 0: nothing is ever restarted',
    ],
    ['an empty window', { restarts: { max: 1, within: '0s' } }, 'spec.restarts.within: "0s" is out of range; allowed: more than 0s'],
    ['no time at all', { maxRuntime: '0s' }, 'spec.maxRuntime: "0s" is out of range; allowed: more than 0s'],
    [
      'a grace that nobody waits for',
      { checkpoint: { directory: 'c', grace: '2d' } },
      'spec.checkpoint.grace: "2d" is out of range; allowed: at least 0s and at most 1d',
    ],
    [
      'an interval beyond the wire',
      { checkpoint: { directory: 'c', interval: '60d' } },
      'spec.checkpoint.interval: "60d" is out of range; allowed: more than 0s and at most 30d',
    ],
    [
      'no memory',
      { template: { ...template, resources: { memory: '0' } } },
      'spec.template.resources.memory: "0" is out of range; allowed: more than 0',
    ],
    ['an empty program', { template: { command: ['', 'x'] } }, 'spec.template.command[0]: empty; allowed: the program to run'],
    [
      'a variable with =',
      { template: { ...template, env: { 'A=B': 'x' } } },
      'spec.template.env["A=B"]: "A=B" is no name of an environment variable; allowed: no "="',
    ],
    ['a field that would change what runs', { template: { ...template, image: 'x' } }, 'spec.template.image: not served by this version'],
  ])('is refused for %s', (_, spec, want) => {
    expect(problemsOf(job(spec))).toEqual([want]);
  });

  test('is named in its refusal as far as it can be read', () => {
    expect(compileManifest({ kind: 'Jobb', metadata: { name: 'x' } })).toMatchObject({
      ok: false,
      kind: 'Jobb',
      name: 'x',
      code: 'INVALID_ARGUMENT',
    });
    expect(compileManifest(3)).toMatchObject({ ok: false, kind: '', name: '' });
  });
});

describe('a queue', () => {
  test('has every field filled in, with the defaults when nothing is said', () => {
    const said = {
      parent: 'org',
      guaranteed: { H800: 8 },
      weight: 0.5,
      halfLife: '7d',
      class: 'serving',
      hold: true,
      perUser: { limit: { H800: 4 }, maxRunning: 0 },
    };
    const { halfLife: _halfLife, ...same } = said;
    expect(compiledQueue(queue(said))).toMatchObject({ spec: { ...same, halfLifeMs: 604_800_000, limit: {}, unserved: {} }, warnings: [] });
    expect(compiledQueue(queue({})).spec).toEqual(defaultQueueSpec);
  });

  test.each<[string, object, string]>([
    ['being its own parent', { parent: 'gpt' }, 'spec.parent: "gpt" is this queue itself'],
    [
      'a guarantee above its limit',
      { guaranteed: { H800: 8 }, limit: { H800: 4 } },
      'spec.guaranteed.H800: 8 is more than spec.limit.H800 4',
    ],
    [
      'a model that is none',
      { limit: { 'H 1': 1 } },
      'spec.limit["H 1"]: key "H 1" is not allowed; allowed: a GPU model such as H100: at most 63 letters, digits, "-", "_" and "."',
    ],
    ['a negative limit', { limit: { H800: -1 } }, 'spec.limit.H800: -1 is out of range; allowed: an integer from 0 to 1000000'],
    ['a weight below 0', { weight: -1 }, 'spec.weight: -1 is out of range; allowed: a number from 0 to 1000000'],
    ['a class that is none', { class: 'best' }, 'spec.class: "best" is not allowed; allowed: serving, batch'],
    ['a half-life of nothing', { halfLife: '0s' }, 'spec.halfLife: "0s" is out of range; allowed: at least 1s'],
    ['a weight that is text', { weight: 'much' }, 'spec.weight: "much" is text; allowed: a number from 0 to 1000000'],
  ])('is refused for %s', (_, spec, want) => {
    expect(problemsOf(queue(spec))).toEqual([want]);
  });

  test('prints as a manifest that compiles to the same spec', () => {
    fc.assert(
      fc.property(queueSpecs, (spec) => {
        const printed = toJson(QueueSpecSchema, queueSpecToWire(spec)) as object;
        expect(compiledQueue(queue(printed)).spec).toEqual(spec);
      }),
    );
  });
});

test('no JSON value makes the compiler throw, and a refusal always has a reason', () => {
  const manifestLike = fc.record({
    apiVersion: fc.constantFrom('shoal.dev/v1', 1),
    kind: fc.constantFrom('TrainingJob', 'Queue', 'Reservation', 'InferenceService', 'PriceBook'),
    metadata: fc.oneof(fc.constant({ name: 'a' }), fc.jsonValue()),
    spec: fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom(
          'queue',
          'workers',
          'mesh',
          'placement',
          'template',
          'parent',
          'limit',
          'perUser',
          'nodes',
          'repeat',
          'end',
          '__proto__',
        ),
        fc.jsonValue(),
      ),
    ),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), manifestLike), (json) => {
      const result = compileManifest(json);
      expect(result.ok || result.problems.length > 0).toBe(true);
    }),
  );
});

const names = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const models = fc.stringMatching(/^[A-Z][A-Z0-9-]{0,8}[A-Z0-9]$/);
const amounts = fc.dictionary(models, fc.integer({ min: 0, max: 1_000_000 }));
const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values);
const plainObject = <T>(values: Record<string, T>): Record<string, T> => ({ ...values });

const queueSpecs: fc.Arbitrary<QueueSpec> = fc.record({
  parent: orNull(names.filter((name) => name !== 'gpt').map(queueName)),
  guaranteed: fc.constantFrom<QueueSpec['guaranteed']>({}, { H100: 8, A100: 0 }),
  limit: amounts.map((limit) => plainObject({ ...limit, H100: 8, A100: 1 })),
  weight: fc.double({ min: 0, max: 1_000_000, noNaN: true }),
  halfLifeMs: orNull(fc.integer({ min: 1000, max: 10_000_000_000 })),
  class: fc.constantFrom('serving', 'batch'),
  hold: fc.boolean(),
  perUser: fc.record({ limit: amounts.map(plainObject), maxRunning: orNull(fc.integer({ min: 0, max: 1_000_000 })) }),
  unserved: fc.constant<QueueSpec['unserved']>({}),
});
