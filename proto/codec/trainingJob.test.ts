import { toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrainingJobSpecSchema } from '#gen/shoal/v1/training_job_pb.js';
import { jobName, queueName } from '#vocabulary/ids.ts';
import type { JobSpec, Mesh } from '#vocabulary/job.ts';
import { describeProblem } from './fieldProblem.ts';
import { compileManifest } from './manifest.ts';
import type { PlacementSpec } from './placementFields.ts';
import type { TimingSpec } from './timingFields.ts';
import { jobSpecToWire } from './trainingJob.ts';

const template = { command: ['python', 'train.py'] };
const job = (spec: object, name = 'gpt'): unknown => ({
  apiVersion: 'shoal.dev/v1',
  kind: 'TrainingJob',
  metadata: { name },
  spec: { template, ...spec },
});

function compiledJob(json: unknown) {
  const result = compileManifest(json);
  if (!result.ok || result.kind !== 'TrainingJob')
    throw new Error(result.ok ? result.kind : result.problems.map(describeProblem).join('\n'));
  return result;
}

function problemsOf(json: unknown): readonly string[] {
  const result = compileManifest(json);
  return result.ok ? [] : result.problems.map(describeProblem);
}

test.each<[string, object, string]>([
  [
    'a share that is a whole GPU',
    { gpuShare: '1' },
    'spec.gpuShare: "1" is out of range; allowed: more than 0 and less than 1 (whole GPUs: gpusPerWorker)',
  ],
  [
    'a share of nothing',
    { gpuShare: '0' },
    'spec.gpuShare: "0" is out of range; allowed: more than 0 and less than 1 (whole GPUs: gpusPerWorker)',
  ],
  [
    'a share beside whole GPUs',
    { gpuShare: '500m', gpusPerWorker: 1 },
    'spec.gpusPerWorker: given, but spec.gpuShare 500m is a part of one GPU',
  ],
  ['a share beside a mesh', { gpuShare: '500m', mesh: { data: 1 } }, 'spec.mesh: given, but spec.gpuShare 500m is a part of one GPU'],
  [
    'a share with a process a GPU',
    { gpuShare: '500m', processesPerWorker: 'gpu' },
    'spec.processesPerWorker: gpu is given, but spec.gpuShare 500m is a part of one GPU',
  ],
  [
    'traffic along an axis that the mesh lacks',
    { mesh: { data: 2 }, traffic: { tensor: '1Gi' } },
    'spec.traffic.tensor: given, but spec.mesh has no axis tensor (data)',
  ],
  ['traffic without a mesh', { traffic: { data: '1Gi' } }, 'spec.traffic.data: given, but spec.mesh has no axis data (it has none)'],
  ['traffic of nothing', { mesh: { data: 1 }, traffic: { data: '0' } }, 'spec.traffic.data: "0" is out of range; allowed: more than 0'],
  [
    'traffic of an axis that nobody knows',
    { mesh: { data: 1 }, traffic: { dat: '1Gi' } },
    'spec.traffic.dat: unknown key `dat`; did you mean `data`?',
  ],
  [
    'an order without all axes',
    { mesh: { data: 1, tensor: 1 }, placement: { axisOrder: ['data'] } },
    'spec.placement.axisOrder: tensor of spec.mesh is missing; allowed: all its axes',
  ],
  [
    'an order with an axis that the mesh lacks',
    { mesh: { data: 1 }, placement: { axisOrder: ['data', 'expert'] } },
    'spec.placement.axisOrder[1]: "expert" is no axis of spec.mesh (data)',
  ],
  [
    'an axis ordered twice',
    { mesh: { data: 1 }, placement: { axisOrder: ['data', 'data'] } },
    'spec.placement.axisOrder[1]: "data" is given twice; first in spec.placement.axisOrder[0]',
  ],
  [
    'a wait for a required level',
    { placement: { constraints: [{ level: 'rack', wait: '1m' }] } },
    'spec.placement.constraints[0].wait: given, but the mode is required: such a level never widens',
  ],
  [
    'a level of segments twice',
    {
      placement: {
        segments: [
          { level: 'rack', workers: 2 },
          { level: 'rack', workers: 1 },
        ],
      },
    },
    'spec.placement.segments[1].level: "rack" is given twice; first in spec.placement.segments[0].level',
  ],
  [
    'a node avoided twice',
    { placement: { avoidNodes: ['n1', 'n1'] } },
    'spec.placement.avoidNodes[1]: "n1" is given twice; first in spec.placement.avoidNodes[0]',
  ],
  ['a packing that is none', { placement: { packing: 'loose' } }, 'spec.placement.packing: "loose" is not allowed; allowed: tight, even'],
  ['waiting for itself', { after: [{ job: 'gpt' }] }, 'spec.after[0].job: "gpt" is this job itself'],
  [
    'waiting for the same job twice',
    { after: [{ job: 'a' }, { job: 'a', condition: 'Failed' }] },
    'spec.after[1].job: "a" is given twice; first in spec.after[0].job',
  ],
  [
    'a time without its offset',
    { notBefore: '2026-11-25 10:00' },
    'spec.notBefore: "2026-11-25 10:00" is not allowed; allowed: a time with its offset such as 2026-11-25T10:00:00Z',
  ],
  [
    'a day that no month has',
    { deadline: '2026-02-30T10:00:00Z' },
    'spec.deadline: "2026-02-30T10:00:00Z" is not allowed; allowed: a time with its offset such as 2026-11-25T10:00:00Z',
  ],
  [
    'a deadline before its start',
    { notBefore: '2026-11-25T10:00:00Z', deadline: '2026-11-25T10:30:00+01:00' },
    'spec.deadline: "2026-11-25T10:30:00+01:00" is not after spec.notBefore 2026-11-25T10:00:00Z',
  ],
  ['more time promised than allowed', { minRuntime: '2h', maxRuntime: '90m' }, 'spec.minRuntime: "2h" is more than spec.maxRuntime 90m'],
  ['an array of nothing', { array: { count: 0 } }, 'spec.array.count: 0 is out of range; allowed: an integer from 1 to 10000'],
])('a job is refused for %s', (_, spec, want) => {
  expect(problemsOf(job(spec))).toEqual([want]);
});

test('a job waits, spreads and comes in arrays as it asks', () => {
  const { spec, warnings } = compiledJob(
    job({
      workers: 16,
      placement: {
        constraints: [{ level: 'zone', mode: 'preferred', wait: '10m' }],
        segments: [
          { level: 'rack', workers: 2 },
          { level: 'block', workers: 8 },
        ],
        spread: { level: 'node' },
        exclusive: 'rack',
        nodeSelector: { 'example.org/disk': 'nvme' },
        avoidNodes: ['n7'],
        packing: 'even',
      },
      after: [{ job: 'a' }, { job: 'b', condition: 'Started' }],
      notBefore: '2026-11-25T11:00:00+01:00',
      deadline: '2026-11-26T10:00:00.5Z',
      minRuntime: '10m',
      array: { count: 3, parallelism: 2 },
    }),
  );
  expect(warnings).toEqual([]);
  const want: Partial<JobSpec> = {
    constraints: [{ level: 'zone', mode: 'preferred', waitMs: 600_000 }],
    segments: [
      { level: 'rack', workers: 2 },
      { level: 'block', workers: 8 },
    ],
    spread: { level: 'node', max: 1 },
    exclusive: 'rack',
    nodeSelector: { 'example.org/disk': 'nvme' },
    avoidNodes: ['n7'],
    packing: 'even',
    after: [
      { job: jobName('a'), condition: 'Succeeded' },
      { job: jobName('b'), condition: 'Started' },
    ],
    startAfterMs: Date.UTC(2026, 10, 25, 10),
    deadlineMs: Date.UTC(2026, 10, 26, 10, 0, 0, 500),
    minRuntimeMs: 600_000,
    array: { count: 3, parallelism: 2 },
  };
  expect(spec).toMatchObject(want);
});

test('a job may have a part of a GPU for each worker', () => {
  const { spec } = compiledJob(job({ workers: 3, gpuShare: '250m' }));
  expect(spec).toMatchObject({ workers: 3, gpusPerWorker: 1, gpuShareMilli: 250, mesh: [] });
});

test('a job may have a slot for each worker, and then nothing that speaks of whole GPUs or of parts', () => {
  const { spec } = compiledJob(job({ workers: 3, gpuProfile: '1g.10gb' }));
  expect(spec).toMatchObject({ workers: 3, gpusPerWorker: 1, gpuShareMilli: null, gpuProfile: '1g.10gb', mesh: [] });
  const all = { gpuProfile: '1g.10gb', gpuShare: '500m', gpusPerWorker: 1, mesh: { data: 1 }, processesPerWorker: 'gpu' };
  expect(problemsOf(job(all))).toEqual([
    'spec.gpuShare: "500m" is given, but spec.gpuProfile 1g.10gb is one slot of one GPU: a slot is never shared',
    'spec.gpusPerWorker: given, but spec.gpuProfile 1g.10gb is one slot of one GPU',
    'spec.mesh: given, but spec.gpuProfile 1g.10gb is one slot of one GPU',
    'spec.processesPerWorker: gpu is given, but spec.gpuProfile 1g.10gb is one slot of one GPU',
  ]);
});

test('a job has no array whose last name would be too long', () => {
  const long = job({ array: { count: 101 } }, 'a'.repeat(61));
  expect(problemsOf(long)).toEqual([`metadata.name: the array's last job "${'a'.repeat(58)}… has 65 characters; allowed: 63`]);
});

test('a job prints as a manifest that compiles to the same spec', () => {
  fc.assert(
    fc.property(jobSpecs, (spec) => {
      const printed = toJson(TrainingJobSpecSchema, jobSpecToWire(spec)) as object;
      expect(compiledJob(job(printed)).spec).toEqual(spec);
    }),
  );
});

const names = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const models = fc.stringMatching(/^[A-Z][A-Z0-9-]{0,8}[A-Z0-9]$/);
const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values);
const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
const plainObject = <T>(values: Record<string, T>): Record<string, T> => ({ ...values });

type Gang = Pick<JobSpec, 'gpusPerWorker' | 'workers' | 'gpuShareMilli' | 'gpuProfile' | 'mesh' | 'axisOrder' | 'traffic'>;

const gangs = fc
  .record({
    gpusPerWorker: fc.integer({ min: 1, max: 8 }),
    data: fc.integer({ min: 1, max: 8 }),
    tensor: fc.integer({ min: 1, max: 8 }),
    hasMesh: fc.boolean(),
    axisOrder: fc.constantFrom<JobSpec['axisOrder']>([], [], ['tensor', 'context', 'data'], ['context', 'data', 'tensor']),
    traffic: fc.dictionary(fc.constantFrom('data', 'context', 'tensor'), fc.integer({ min: 1, max: 2 ** 50 })).map(plainObject),
  })
  .map(({ gpusPerWorker, data, tensor, hasMesh, axisOrder, traffic }): Gang => {
    const mesh: Mesh = [
      { axis: 'data', size: data },
      { axis: 'context', size: gpusPerWorker },
      { axis: 'tensor', size: tensor },
    ];
    const whole = { gpusPerWorker, gpuShareMilli: null, gpuProfile: null, axisOrder: [], traffic: {} };
    const ordered = mesh.toSorted((left, right) => axisOrder.indexOf(left.axis) - axisOrder.indexOf(right.axis));
    if (hasMesh) return { ...whole, workers: data * tensor, mesh: ordered, axisOrder, traffic };
    if (gpusPerWorker > 2) return { ...whole, workers: data, mesh: [] };
    return gpusPerWorker === 1
      ? { ...whole, gpuShareMilli: tensor * 111, workers: data, mesh: [] }
      : { ...whole, gpusPerWorker: 1, gpuProfile: `${Math.min(tensor, 7)}g.10gb`, workers: data, mesh: [] };
  });

const ms = fc.integer({ min: 1, max: 10 ** 11 });
const byLevel = { selector: ({ level }: { readonly level: string }) => level, maxLength: 3 };

const placements: fc.Arbitrary<PlacementSpec> = fc.record({
  constraints: fc.uniqueArray(
    fc.oneof(
      fc.record({ level: names, mode: fc.constant('required' as const), waitMs: fc.constant(null) }),
      fc.record({ level: names, mode: fc.constant('preferred' as const), waitMs: orNull(ms) }),
    ),
    byLevel,
  ),
  segments: fc.uniqueArray(fc.record({ level: names, workers: fc.integer({ min: 1, max: 16_384 }) }), byLevel),
  spread: orNull(fc.record({ level: names, max: fc.integer({ min: 1, max: 16_384 }) })),
  exclusive: orNull(names),
  nodeSelector: fc.dictionary(names, names).map(plainObject),
  avoidNodes: fc.uniqueArray(names, { maxLength: 3 }),
  packing: fc.constantFrom('tight' as const, 'even' as const),
});

const timings: fc.Arbitrary<TimingSpec> = fc
  .record({
    after: fc.uniqueArray(
      fc.record({
        job: names.filter((name) => name !== 'gpt').map(jobName),
        condition: fc.constantFrom('Succeeded' as const, 'Failed' as const, 'Finished' as const, 'Started' as const),
      }),
      { selector: ({ job: name }) => name, maxLength: 3 },
    ),
    startAfterMs: orNull(fc.integer({ min: 0, max: 10 ** 13 })),
    beforeDeadlineMs: orNull(ms),
    minRuntimeMs: fc.integer({ min: 0, max: 10 ** 9 }),
    moreRuntimeMs: orNull(ms),
    array: orNull(fc.record({ count: fc.integer({ min: 1, max: 10_000 }), parallelism: orNull(fc.integer({ min: 1, max: 10_000 })) })),
  })
  .map(({ beforeDeadlineMs, moreRuntimeMs, ...timing }) => ({
    ...timing,
    deadlineMs: beforeDeadlineMs === null ? null : (timing.startAfterMs ?? 0) + beforeDeadlineMs,
    maxRuntimeMs: moreRuntimeMs === null ? null : timing.minRuntimeMs + moreRuntimeMs,
  }));

const jobSpecs: fc.Arbitrary<JobSpec> = fc
  .record({
    queue: names.map(queueName),
    priority: fc.integer({ min: 0, max: 100 }),
    preemptible: fc.boolean(),
    gpuModels: fc.uniqueArray(models, { maxLength: 4 }),
    gang: gangs,
    processesPerWorker: fc.constantFrom('worker' as const, 'gpu' as const),
    placement: placements,
    timing: timings,
    spares: fc.integer({ min: 0, max: 1024 }),
    checkpoint: orNull(
      fc.record({
        directory: line.filter((text) => text !== ''),
        intervalMs: orNull(fc.integer({ min: 1, max: 30 * 86_400_000 })),
        graceMs: fc.integer({ min: 0, max: 86_400_000 }),
        keep: orNull(fc.integer({ min: 1, max: 1000 })),
      }),
    ),
    restarts: fc.record({ max: fc.integer({ min: 1, max: 1000 }), withinMs: orNull(fc.integer({ min: 1, max: 10 ** 11 })) }),
    template: fc.record({
      command: fc.array(line, { minLength: 1, maxLength: 4 }).filter(([program]) => program !== ''),
      env: fc.dictionary(fc.stringMatching(/^[A-Z_.]{1,8}$/), line).map(plainObject),
      workingDirectory: line,
      cpuMilli: orNull(fc.integer({ min: 1, max: 10 ** 9 })),
      memoryBytes: orNull(fc.integer({ min: 1, max: 2 ** 52 })),
    }),
    unserved: fc.constantFrom<JobSpec['unserved']>({}, { 'spec.template.resources.sharedMemory': '"64Gi"' }),
  })
  .map(({ gang, placement, timing, processesPerWorker, ...spec }) => ({
    ...spec,
    ...gang,
    ...placement,
    ...timing,
    processesPerWorker: gang.gpuShareMilli === null && gang.gpuProfile === null ? processesPerWorker : 'worker',
    elastic: null,
  }));
