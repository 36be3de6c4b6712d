import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EventSchema } from '#gen/shoal/v1/event_pb.js';
import { GpuSchema, NodeSchema } from '#gen/shoal/v1/node_pb.js';
import { QueueSchema } from '#gen/shoal/v1/queue_pb.js';
import { TrainingJobSchema } from '#gen/shoal/v1/training_job_pb.js';
import type { ColumnOf } from './tables.ts';
import { tables } from './tables.ts';

const nowMs = 1_800_000_000_000;
const at = (secondsAgo: number) => timestampFromMs(nowMs - secondsAgo * 1000);

function cell<T>(columns: readonly ColumnOf<T>[], name: string, object: T): string {
  const column = columns.find((one) => one.name === name);
  if (column === undefined) throw new Error(`no column ${name}`);
  return column.cell(object, nowMs);
}

const names = (columns: readonly { readonly name: string; readonly priority: 0 | 1 }[], priority: 0 | 1): string =>
  columns.flatMap((column) => (column.priority === priority ? [column.name] : [])).join(' ');

test('columns that are always shown', () => {
  expect(Object.entries(tables).map(([kind, columns]) => `${kind}: ${names(columns, 0)}`)).toEqual([
    'TrainingJob: NAME QUEUE STATUS GPUS READY PRI RESTARTS STEP AGE',
    'Node: NAME STATUS GPUS HEALTH JOBS AGE VERSION',
    'Gpu: NODE IDX MODEL UTIL MEM POWER TEMP HEALTH JOB RANK',
    'Queue: NAME PARENT PENDING RUNNING GPUS GUARANTEED WEIGHT SHARE STATUS AGE',
    'Reservation: NAME KIND STATUS START END REPEAT NODES GPUS FOR',
    'Event: LAST SEEN TYPE REASON OBJECT MESSAGE',
  ]);
});

test('columns that only -o wide shows', () => {
  expect(Object.entries(tables).map(([kind, columns]) => `${kind}: ${names(columns, 1)}`)).toEqual([
    'TrainingJob: USER NODES LOSS CHECKPOINT ATTEMPT REASON',
    'Node: TOPOLOGY MODEL CPU MEMORY ADDRESS HEARTBEAT REASON',
    'Gpu: UUID PCI NUMA NVLINK REASON',
    'Queue: CLASS HALF-LIFE',
    'Reservation: AGE BY REASON',
    'Event: ',
  ]);
});

test.each([
  [0, '0s'],
  [1, '1s'],
  [119, '119s'],
  [120, '2m'],
  [121, '2m1s'],
  [599, '9m59s'],
  [600, '10m'],
  [659, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [10_860, '3h1m'],
  [28_799, '7h59m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [176_400, '2d1h'],
  [691_199, '7d23h'],
  [691_200, '8d'],
  [34_560_000, '400d'],
  [-5, '0s'],
])('an age of %i seconds is written %s, as kubectl does', (seconds, want) => {
  const queue = create(QueueSchema, { metadata: { creationTimestamp: at(seconds) } });
  expect(cell(tables.Queue, 'AGE', queue)).toBe(want);
});

describe('a job’s cells', () => {
  const job = (status: object, spec: object = {}) => create(TrainingJobSchema, { spec, status });

  test.each([
    ['Running', { phase: 'Running' }],
    ['Pending(QueueLimit)', { phase: 'Pending', reason: 'QueueLimit' }],
    ['Failed(ApplicationFailure)', { phase: 'Failed', reason: 'ApplicationFailure' }],
    ['Stopping(NodeFailure)', { phase: 'Stopping', reason: 'NodeFailure' }],
    ['Succeeded', { phase: 'Succeeded', reason: 'Succeeded' }],
    ['Terminating', { phase: 'Suspending', reason: 'Deleted', deleting: true }],
    ['Terminating(Deleted)', { phase: 'Stopping', reason: 'Deleted', deleting: true }],
  ])('STATUS is %s', (want, status) => {
    expect(cell(tables.TrainingJob, 'STATUS', job(status))).toBe(want);
  });

  test('count GPUs, ready ranks and restarts of both kinds', () => {
    const ranks = [
      { rank: 0, node: 'n1', state: 'Running' },
      { rank: 1, node: 'n1', state: 'Starting' },
      { rank: 2, node: 'n2', state: 'Running' },
    ];
    const one = job({ ranks, restarts: { application: 1, infrastructure: 2, preemption: 4 } }, { workers: 3, gpusPerWorker: 8 });
    expect(['GPUS', 'READY', 'RESTARTS', 'NODES'].map((name) => cell(tables.TrainingJob, name, one))).toEqual(['24', '2/3', '3', 'n1,n2']);
  });

  test('count the GPUs that an elastic job has now', () => {
    const spec = { workers: 8, gpusPerWorker: 2, elastic: { minWorkers: 2, maxWorkers: 16 } };
    expect(cell(tables.TrainingJob, 'GPUS', job({ phase: 'Running', workers: 5 }, spec))).toBe('10');
    expect(cell(tables.TrainingJob, 'GPUS', job({ phase: 'Pending' }, spec))).toBe('16');
  });

  test('are empty where nothing is known', () => {
    const empty = create(TrainingJobSchema, {});
    expect(['STEP', 'LOSS', 'CHECKPOINT', 'ATTEMPT', 'REASON', 'AGE'].map((name) => cell(tables.TrainingJob, name, empty))).toEqual([
      '',
      '',
      '',
      '',
      '',
      '',
    ]);
  });

  test('tell step, loss and checkpoint', () => {
    const one = job({ progress: { step: 1200n, loss: 2.34567 }, checkpoint: { step: 1000n } });
    expect(['STEP', 'LOSS', 'CHECKPOINT'].map((name) => cell(tables.TrainingJob, name, one))).toEqual(['1200', '2.3457', 'step 1000']);
  });
});

describe('a node’s cells', () => {
  const node = (status: object) => create(NodeSchema, { status });

  test.each([
    ['Ready', { state: 'Ready' }],
    ['NotReady', { state: 'Lost' }],
    ['Returning', { state: 'Returning' }],
    ['Ready,SchedulingDisabled', { state: 'Ready', cordon: { owner: 'bob' } }],
    ['Ready,Draining,SchedulingDisabled', { state: 'Ready', draining: true, cordon: { owner: 'bob' } }],
    ['NotReady,SchedulingDisabled', { state: 'Lost', cordon: { owner: 'bob' } }],
  ])('STATUS is %s', (want, status) => {
    expect(cell(tables.Node, 'STATUS', node(status))).toBe(want);
  });

  test('say how many GPUs are used and how many are bad', () => {
    const gpus = [{}, {}, {}, {}];
    expect(cell(tables.Node, 'GPUS', node({ gpuMilliUsed: 2300, gpusHealthy: 4, gpus }))).toBe('2.3/4');
    expect(cell(tables.Node, 'HEALTH', node({ gpusHealthy: 4, gpus }))).toBe('ok');
    expect(cell(tables.Node, 'HEALTH', node({ gpusHealthy: 3, gpus }))).toBe('1 bad');
  });

  test('give the person’s reason before the machine’s', () => {
    expect(cell(tables.Node, 'REASON', node({ reason: 'silent', cordon: { reason: 'disk' } }))).toBe('disk');
    expect(cell(tables.Node, 'REASON', node({ reason: 'silent', cordon: { reason: '' } }))).toBe('silent');
  });
});

test('a GPU’s readings are shown while there are any', () => {
  const sample = { utilizationPercent: 97, memoryUsedBytes: BigInt(60 * 2 ** 30), powerMilliwatts: 651_400, temperatureCelsius: 61 };
  const gpu = create(GpuSchema, {
    info: { memoryBytes: BigInt(80 * 2 ** 30) },
    sample,
    holders: [{ job: 'a', ranks: [3, 4], milli: 1000 }],
  });
  expect(['UTIL', 'MEM', 'POWER', 'TEMP', 'RANK'].map((name) => cell(tables.Gpu, name, gpu))).toEqual([
    '97%',
    '60Gi/80Gi',
    '651W',
    '61C',
    '3,4',
  ]);
  const shared = create(GpuSchema, {
    holders: [
      { job: 'a', ranks: [0], milli: 300 },
      { job: 'b', ranks: [0, 1], milli: 700 },
    ],
  });
  const slots = ['1g.10gb', '1g.10gb', '3g.40gb'].map((profile, at) => ({ profile, uuid: `MIG-${at}` }));
  const divided = create(GpuSchema, { info: { model: 'H100', slots }, holders: [{ job: 'a', ranks: [0], milli: 142, slots: ['MIG-1'] }] });
  expect(['MODEL', 'JOB'].map((name) => cell(tables.Gpu, name, divided))).toEqual(['H100 (1g.10gb 1/2, 3g.40gb 0/1)', 'a(142m)']);
  expect(['JOB', 'RANK'].map((name) => cell(tables.Gpu, name, shared))).toEqual(['a(300m),b(700m)', '0,0,1']);
  expect(['UTIL', 'MEM', 'POWER', 'TEMP'].map((name) => cell(tables.Gpu, name, create(GpuSchema, {})))).toEqual(['', '', '', '']);
});

test('a queue shows what decides whose turn it is', () => {
  const queue = create(QueueSchema, {
    spec: { guaranteed: { H100: 8, A100: 2 }, weight: 0.5, hold: true, class: 'serving', halfLife: '7d' },
    status: { share: 1 / 3 },
  });
  const shown = ['GUARANTEED', 'WEIGHT', 'SHARE', 'STATUS', 'CLASS', 'HALF-LIFE'].map((name) => cell(tables.Queue, name, queue));
  expect(shown).toEqual(['A100 2, H100 8', '0.5', '0.333', 'Held', 'serving', '7d']);
  expect(['WEIGHT', 'STATUS', 'CLASS'].map((name) => cell(tables.Queue, name, create(QueueSchema, {})))).toEqual(['1', 'Open', 'batch']);
});

test('a queue shows what it holds of what it may hold, by model', () => {
  const queue = create(QueueSchema, { spec: { limit: { H100: 8, A100: 2 } }, status: { usedMilli: { H100: 2500, B200: 1000 } } });
  expect(cell(tables.Queue, 'GPUS', queue)).toBe('A100 0/2, B200 1/unlimited, H100 2.5/8');
});

test('an event names its object as kubectl does', () => {
  const about = (kind: string) => cell(tables.Event, 'OBJECT', create(EventSchema, { object: { kind, name: 'x' } }));
  expect(['TrainingJob', 'Node', 'Queue', 'Reservation', 'Cluster'].map(about)).toEqual([
    'job/x',
    'node/x',
    'queue/x',
    'reservation/x',
    'cluster/x',
  ]);
});
